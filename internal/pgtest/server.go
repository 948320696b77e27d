package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a cluster of one test's own, which may kill it, lose it and promote it.
type Server struct {
	t testing.TB
	c *cluster
}

// NewServer starts one, with settings like "wal_keep_size=64MB"; it ends with the test.
func NewServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	c, err := start(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return &Server{t, c}
}

// DSN is of the superuser.
func (s *Server) DSN(database string) string { return s.c.dsn(database) }

// Data is the server's folder.
func (s *Server) Data() string { return filepath.Join(s.c.socket, "data") }

// Kill ends all processes of the server at once, as a lack of power does.
func (s *Server) Kill() {
	s.t.Helper()
	pid := s.c.server.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.c.server.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Fatal(err)
		}
	}
	<-s.c.ended
}

// Start starts the server again on its data, or on what a test put there.
func (s *Server) Start() {
	s.t.Helper()
	for tries := 0; ; tries++ { // processes that were killed may not be gone yet
		err := s.c.serve()
		if err == nil {
			return
		}
		if tries == 50 {
			s.t.Fatal(err)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// Lose removes all data of a server that was killed.
func (s *Server) Lose() {
	s.t.Helper()
	if err := os.RemoveAll(s.Data()); err != nil {
		s.t.Fatal(err)
	}
}
