package store_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
)

// TestAServerThatVanishesIsNamed cuts the connection in the middle of a commit, without
// a word of the server's: the caller learns that the database is the cause, and the next
// commit works.
func TestAServerThatVanishesIsNamed(t *testing.T) {
	u, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	var cuts atomic.Bool
	q := u.Query()
	socket := q.Get("host") + "/.s.PGSQL." + q.Get("port")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go between(client, socket, &cuts)
		}
	}()
	q.Del("host")
	q.Del("port")
	u.Host, u.RawQuery = l.Addr().String(), q.Encode()
	s, err := store.Open(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cuts.Store(true)
	if _, err := s.Apply(t.Context(), engine, []continuity.Change{mark("a", `{}`)}); continuity.CodeOf(err) != continuity.CodeDatabase {
		t.Errorf("%s: %v", continuity.CodeOf(err), err)
	}
	cuts.Store(false)
	if _, err := s.Apply(t.Context(), engine, []continuity.Change{mark("a", `{}`)}); err != nil {
		t.Error(err)
	}
}

// between passes on what client and server say, until something is inserted.
func between(client net.Conn, socket string, cuts *atomic.Bool) {
	defer client.Close()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(client, server) }()
	part := make([]byte, 64<<10)
	for {
		n, err := client.Read(part)
		if err != nil || cuts.Load() && bytes.Contains(part[:n], []byte("INSERT INTO")) {
			return
		}
		if _, err := server.Write(part[:n]); err != nil {
			return
		}
	}
}
