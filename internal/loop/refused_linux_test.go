package loop_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/loop"
)

// A socket that the kernel does not watch costs its own connection, and the
// listener goes on.
func TestAcceptOutlivesARefusedWatch(t *testing.T) {
	g, err := loop.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Listen(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer loop.RefuseNext(1)()

	refused, err := net.Dial("tcp", plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	_, err = l.Accept()
	var passes interface{ Temporary() bool }
	if !errors.Is(err, unix.ENOSPC) || !errors.As(err, &passes) || !passes.Temporary() {
		t.Errorf("a refused watch is %v", err)
	}
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stays open")
	}

	served, err := net.Dial("tcp", plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	nc.(*loop.Conn).Serve(func(*loop.Task) {
		defer close(ended)
		defer nc.Close()
		_, _ = io.WriteString(nc, "hello") // what came of it is read below
	})
	if text, err := io.ReadAll(served); string(text) != "hello" || err != nil {
		t.Errorf("served %q, %v", text, err)
	}
	<-ended
}
