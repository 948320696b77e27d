package loop_test

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/loop"
)

// serve runs f for each connection to the address that it returns, on n loops.
func serve(t *testing.T, n int, f func(*loop.Task, *loop.Conn)) (address string) {
	t.Helper()
	g, err := loop.NewGroup(n)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Listen(plain)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			c := nc.(*loop.Conn)
			conns.Add(1)
			t.Cleanup(c.Cut)
			c.Serve(func(task *loop.Task) {
				defer conns.Done()
				defer c.Close()
				f(task, c)
			})
		}
	}()
	t.Cleanup(func() { // after all Cuts
		l.Close()
		<-accepting
		conns.Wait()
		g.Close()
	})
	return plain.Addr().String()
}

// lines echoes lines; handle sees each before.
func lines(handle func(*loop.Task, string)) func(*loop.Task, *loop.Conn) {
	return func(t *loop.Task, c *loop.Conn) {
		r := bufio.NewReader(c)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			handle(t, line)
			if _, err := io.WriteString(c, line); err != nil {
				return
			}
		}
	}
}

type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{c, bufio.NewReader(c)}
}

func (c *client) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (c *client) hear(t *testing.T, text string) {
	t.Helper()
	if line, err := c.r.ReadString('\n'); err != nil || line != text+"\n" {
		t.Fatalf("heard %q, %v; want %q", line, err, text)
	}
}

// A task that blocks holds up nobody: neither announced nor unannounced.
func TestBlockingTaskHoldsUpNobody(t *testing.T) {
	for _, announced := range []bool{true, false} {
		release := make(chan struct{})
		blocked := make(chan struct{}, 1)
		address := serve(t, 1, lines(func(task *loop.Task, line string) {
			if line == "block\n" {
				if announced {
					task.Block()
					task.Block() // once too often
				}
				blocked <- struct{}{}
				<-release
			}
		}))
		slow, quick := dial(t, address), dial(t, address)
		slow.say(t, "block")
		<-blocked
		quick.say(t, "a")
		quick.hear(t, "a")
		close(release)
		slow.hear(t, "block")
		slow.say(t, "b") // back on its loop
		slow.hear(t, "b")
		quick.say(t, "c")
		quick.hear(t, "c")
	}
}

// Tasks that wait are woken, also when the Wake comes first, is repeated, or
// meets a task that has blocked.
func TestWake(t *testing.T) {
	var mu sync.Mutex
	waiting := map[*loop.Task]*atomic.Bool{}
	address := serve(t, 2, lines(func(task *loop.Task, line string) {
		done := new(atomic.Bool)
		switch line {
		case "first\n":
			done.Store(true)
			task.Wake()
			task.Wake()
		case "blocked\n":
			task.Block()
			fallthrough
		default:
			mu.Lock()
			waiting[task] = done
			mu.Unlock()
		}
		for !done.Load() {
			task.Wait()
		}
	}))
	const many = 50
	var clients []*client
	for i := range many {
		c := dial(t, address)
		clients = append(clients, c)
		c.say(t, []string{"wait", "blocked"}[i%2])
	}
	first := dial(t, address)
	first.say(t, "first")
	first.hear(t, "first")
	for n := 0; n < many; {
		mu.Lock()
		batch := waiting
		waiting = map[*loop.Task]*atomic.Bool{}
		mu.Unlock()
		n += len(batch)
		for task, done := range batch {
			task.Wake() // not yet
			done.Store(true)
			task.Wake()
		}
		runtime.Gosched()
	}
	for i, c := range clients {
		c.hear(t, []string{"wait", "blocked"}[i%2])
	}
}

func TestDeadlines(t *testing.T) {
	result := make(chan error, 3)
	address := serve(t, 1, func(task *loop.Task, c *loop.Conn) {
		began := time.Now()
		c.ReadWithin(30 * time.Millisecond)
		_, err := c.Read(make([]byte, 1))
		if took := time.Since(began); took < 25*time.Millisecond {
			t.Errorf("read gave up after %v", took)
		}
		result <- err
		c.SetReadDeadline(time.Time{})
		c.WriteWithin(30 * time.Millisecond)
		_, err = c.Write(make([]byte, 64<<20)) // nobody reads
		result <- err
		task.WaitUntil(task.Loop().Now() + int64(20*time.Millisecond))
		result <- nil
	})
	dial(t, address)
	for range 2 {
		if err, ok := (<-result).(net.Error); !ok || !err.Timeout() {
			t.Errorf("got %v, want a time-out", err)
		}
	}
	<-result
}

// One task with endless input does not keep others from their turn.
func TestGreedyTask(t *testing.T) {
	address := serve(t, 1, func(_ *loop.Task, c *loop.Conn) {
		buf := make([]byte, 1) // so that its socket is never empty
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if buf[0] == '\n' {
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}
	})
	greedy := dial(t, address)
	stop := make(chan struct{})
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for text := []byte(strings.Repeat("x", 64<<10)); ; {
			select {
			case <-stop:
				return
			default:
				if _, err := greedy.Write(text); err != nil {
					return
				}
			}
		}
	}()
	for range 20 {
		c := dial(t, address)
		c.say(t, "")
		c.hear(t, "")
		c.Close()
	}
	close(stop)
	greedy.Close()
	<-fed
}

// A task that ends its goroutine, as a failing test's handler does, takes only
// itself along.
func TestGoexit(t *testing.T) {
	address := serve(t, 1, lines(func(_ *loop.Task, line string) {
		if line == "exit\n" {
			runtime.Goexit()
		}
	}))
	bad, good := dial(t, address), dial(t, address)
	bad.say(t, "exit")
	if b, err := io.ReadAll(bad); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
	good.say(t, "a")
	good.hear(t, "a")
}

// A connection that leaves its loop is like any other.
func TestLeave(t *testing.T) {
	address := serve(t, 1, func(task *loop.Task, c *loop.Conn) {
		task.Block()
		nc, err := c.Leave()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		io.Copy(nc, nc)
	})
	c := dial(t, address)
	c.say(t, "a")
	c.hear(t, "a")
	c.Conn.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}

// Data that comes with the end of a stream is read before that end.
func TestDataBeforeEnd(t *testing.T) {
	heard := make(chan string, 1)
	address := serve(t, 1, func(task *loop.Task, c *loop.Conn) {
		task.WaitUntil(task.Loop().Now() + int64(20*time.Millisecond)) // both are there
		b, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		heard <- string(b)
	})
	c := dial(t, address)
	c.say(t, "a")
	c.Conn.(*net.TCPConn).CloseWrite()
	if got := <-heard; got != "a\n" {
		t.Errorf("heard %q", got)
	}
}
