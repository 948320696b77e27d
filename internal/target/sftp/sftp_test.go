package sftp_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"holdfast/internal/continuity"
	"holdfast/internal/target"
	"holdfast/internal/target/open"
	files "holdfast/internal/target/sftp"
	"holdfast/internal/target/targettest"
)

func signer(t *testing.T) (ssh.Signer, ed25519.PrivateKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

// server is an SSH server of this process that lets one key in to the machine's files.
type server struct {
	address string
	host    ssh.Signer
	secret  string // the private key of who may come in
	conns   chan net.Conn
}

func serve(t *testing.T) *server {
	t.Helper()
	host, _ := signer(t)
	own, key := signer(t)
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(k.Marshal(), own.PublicKey().Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil //nolint:nilnil // no restriction
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &server{l.Addr().String(), host, string(pem.EncodeToMemory(block)), make(chan net.Conn, 1000)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns <- conn
			go session(conn, config)
		}
	}()
	return s
}

func session(conn net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, asked, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range asked {
				_ = r.Reply(r.Type == "subsystem", nil)
			}
		}()
		server, err := sftp.NewServer(channel)
		if err != nil {
			return
		}
		go func() {
			_ = server.Serve()
			_ = channel.Close()
		}()
	}
}

func (s *server) known(t *testing.T, key ssh.PublicKey) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(knownhosts.Line([]string{s.address}, key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s *server) open(t *testing.T, dir string) target.Target {
	t.Helper()
	f, err := open.Target(t.Context(), "sftp://holdfast@"+s.address+dir+"?known_hosts="+url.QueryEscape(s.known(t, s.host.PublicKey())), s.secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestConformance(t *testing.T) {
	s, dir := serve(t), t.TempDir()
	targettest.Run(t, s.open(t, dir), func(t *testing.T) target.Target { return s.open(t, dir) })
}

func TestStrangersAreRefused(t *testing.T) {
	s, dir := serve(t), t.TempDir()
	other, key := signer(t)
	_, err := open.Target(t.Context(), "sftp://holdfast@"+s.address+dir+"?known_hosts="+url.QueryEscape(s.known(t, other.PublicKey())), s.secret)
	targettest.Fails(t, err, continuity.CodeForbidden)
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = open.Target(t.Context(), "sftp://holdfast@"+s.address+dir+"?known_hosts="+url.QueryEscape(s.known(t, s.host.PublicKey())), string(pem.EncodeToMemory(block)))
	targettest.Fails(t, err, continuity.CodeForbidden)
	_, err = open.Target(t.Context(), "sftp://holdfast@"+s.address+dir+"/none?known_hosts="+url.QueryEscape(s.known(t, s.host.PublicKey())), s.secret)
	targettest.Fails(t, err, continuity.CodeUnreachable)
}

// TestTheServerGoesAwayInTheMiddle cuts the connection while a file is put: it is not
// published, and the next act connects anew.
func TestTheServerGoesAwayInTheMiddle(t *testing.T) {
	s, dir := serve(t), t.TempDir()
	f := s.open(t, dir)
	content := targettest.Noise(1, 8<<20)
	half := &cutting{Reader: bytes.NewReader(content), after: 4 << 20, cut: func() { _ = (<-s.conns).Close() }}
	targettest.Fails(t, f.Put(t.Context(), "shop/cut.bak", half), continuity.CodeUnreachable)
	if got := targettest.Names(t, f, ""); len(got) != 0 {
		t.Error(got)
	}
	if n, err := f.Sweep(t.Context(), 0); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := f.Put(t.Context(), "shop/whole.bak", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	targettest.Holds(t, f, "shop/whole.bak", content)
}

// TestAServerThatSaysNothing lets a network swallow what is sent, in both directions, in the
// middle of a file: everything that waits fails, and what is asked once the network is back
// does not.
func TestAServerThatSaysNothing(t *testing.T) {
	s, dir := serve(t), t.TempDir()
	way := hole(t, s.address)
	key, err := ssh.ParsePrivateKey([]byte(s.secret))
	if err != nil {
		t.Fatal(err)
	}
	f, err := files.New(t.Context(), files.Settings{
		Address: way.address, User: "holdfast", Folder: dir, Auth: ssh.PublicKeys(key), Known: ssh.FixedHostKey(s.host.PublicKey()), Silence: 3 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	content := targettest.Noise(4, 24<<20)
	if err := f.Put(t.Context(), "shop/a.bak", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	r, _, err := f.Open(t.Context(), "shop/a.bak")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	swallowed := make(chan struct{})
	all.Go(func() {
		<-swallowed
		_, err := io.Copy(io.Discard, r)
		targettest.Fails(t, err, continuity.CodeUnreachable)
		_ = r.Close() // of a connection that is dead
	})
	all.Go(func() {
		half := &cutting{Reader: bytes.NewReader(content), after: 8 << 20, cut: func() {
			way.swallows.Store(true)
			close(swallowed)
		}}
		targettest.Fails(t, f.Put(t.Context(), "shop/b.bak", half), continuity.CodeUnreachable)
	})
	all.Go(func() {
		<-swallowed
		_, err := f.List(t.Context(), "")
		targettest.Fails(t, err, continuity.CodeUnreachable)
	})
	all.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Stat(ctx, "shop/a.bak"); err == nil {
		t.Error("nothing was asked, and something answered")
	}
	way.swallows.Store(false)
	targettest.Holds(t, f, "shop/a.bak", content)
	if got := targettest.Names(t, f, ""); len(got) != 1 {
		t.Error(got)
	}
}

// network is a way to a server that can swallow what goes through it.
type network struct {
	address  string
	swallows atomic.Bool
}

func hole(t *testing.T, to string) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	n := &network{address: l.Addr().String()}
	pipe := func(from, to net.Conn) {
		buffer := make([]byte, 64<<10)
		for swallowed := false; ; {
			size, err := from.Read(buffer)
			if err != nil {
				_ = to.Close()
				return
			}
			// A stream with a hole in it never goes on.
			if swallowed = swallowed || n.swallows.Load(); swallowed {
				continue
			}
			if _, err := to.Write(buffer[:size]); err != nil {
				_ = from.Close()
				return
			}
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go pipe(client, server)
			go pipe(server, client)
		}
	}()
	return n
}

func TestAFolderThatVanishedIsNotMade(t *testing.T) {
	s, dir := serve(t), filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := s.open(t, dir)
	if err := os.Remove(dir); err != nil { // as if unmounted
		t.Fatal(err)
	}
	targettest.Vanished(t, f)
	if _, err := os.Stat(dir); err == nil {
		t.Error("it was made anew")
	}
}

func TestWritesAreDenied(t *testing.T) {
	s, dir := serve(t), targettest.SmallDisk(t, "1m")
	f := s.open(t, dir)
	if err := f.Put(t.Context(), "a/b.bak", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	targettest.NoMoreWrites(t, dir)
	targettest.MayOnlyRead(t, f, "a/b.bak", []byte("x"))
}

// cutting does something once so many bytes were read.
type cutting struct {
	*bytes.Reader
	after int
	cut   func()
}

func (c *cutting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.after -= n; c.after <= 0 && c.cut != nil {
		c.cut()
		c.cut = nil
	}
	return n, err
}

func TestDiskFull(t *testing.T) {
	s, dir := serve(t), targettest.SmallDisk(t, "8m")
	f := s.open(t, dir)
	if err := f.Put(t.Context(), "a/large", bytes.NewReader(targettest.Noise(2, 20<<20))); err == nil || strings.Contains(err.Error(), s.secret) {
		t.Error(err)
	}
	if got := targettest.Names(t, f, ""); len(got) != 0 {
		t.Error(got)
	}
	if err := f.Put(t.Context(), "a/small", bytes.NewReader(targettest.Noise(3, 5<<20))); err != nil {
		t.Error(err)
	}
}
