package controlapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

// wires is a listener of connections within the program, whose time is the test's.
type wires struct {
	come chan net.Conn
	over chan struct{}
}

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.come:
		return c, nil
	case <-w.over:
		return nil, net.ErrClosed
	}
}

func (w *wires) Close() error   { return nil }
func (w *wires) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wires) dial() net.Conn {
	here, there := net.Pipe()
	w.come <- there
	return here
}

type chain interface{ Events }

// quiet has events that never come, a state without end, one hook, and answers that
// nobody has asked for before.
type quiet struct {
	chain
	Signals

	taken    chan error // how an export ended
	messages int
}

func (*quiet) LastEvent(context.Context) (seq int64, hash [32]byte, err error) { return 7, hash, nil }

func (*quiet) After(ctx context.Context, _ int64, _ int) ([]continuity.AuditEvent, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (q *quiet) Export(_ context.Context, to io.Writer) error {
	var err error
	for err == nil {
		_, err = to.Write(make([]byte, 8<<10))
	}
	q.taken <- err
	return err
}

func (*quiet) Hooked(id string) bool { return id == "tills" }

func (q *quiet) Signed(context.Context, string, http.Header, []byte) (bool, error) {
	q.messages++
	return false, nil
}

func (*quiet) BeginAnswer(_ context.Context, a continuity.APIAnswer, _ time.Time) (continuity.APIAnswer, bool, error) {
	return a, true, nil
}
func (*quiet) EndAnswer(context.Context, continuity.APIAnswer) error  { return nil }
func (*quiet) DropAnswer(context.Context, continuity.APIAnswer) error { return nil }

// serveQuietly serves the API by the server of net/http in the test's own time.
func serveQuietly(t *testing.T) (*wires, *quiet) {
	t.Helper()
	q := &quiet{taken: make(chan error, 1)}
	h, err := New(Options{
		Authenticate: func(r *http.Request) (Caller, error) {
			if r.Header.Get("Authorization") == "" {
				return Caller{}, continuity.E(continuity.CodeForbidden, nil, "control", true)
			}
			return Caller{Actor: continuity.Actor{Kind: "user", ID: "ann"}, Scopes: access.Admin.Scopes()}, nil
		},
		Version: "1.0", Ready: func() error { return nil }, Logger: slog.New(slog.DiscardHandler),
		Answers: q, Events: q, State: q, Signals: q,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &wires{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Second, IdleTimeout: time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ended := make(chan error)
	go func() { ended <- srv.Serve(w) }()
	t.Cleanup(func() {
		close(w.over)
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, q
}

// TestABodyThatNeverComesHoldsNoConnection announces bodies and sends none.
func TestABodyThatNeverComesHoldsNoConnection(t *testing.T) {
	for name, c := range map[string]struct {
		path, head string
		status     int
		within     time.Duration
	}{
		"a hook that is none":       {"/api/v1/in/webhook/none", "", http.StatusUnauthorized, remains},
		"nobody known":              {"/api/v1/signals/reports", "", http.StatusUnauthorized, remains},
		"nobody known, with a key":  {"/api/v1/signals/reports", "Idempotency-Key: k\r\n", http.StatusUnauthorized, remains},
		"a hook":                    {"/api/v1/in/webhook/tills", "", http.StatusBadRequest, requestTime},
		"somebody, with a key":      {"/api/v1/signals/reports", "Authorization: x\r\nIdempotency-Key: k\r\n", http.StatusBadRequest, requestTime},
		"somebody":                  {"/api/v1/signals/reports", "Authorization: x\r\n", http.StatusRequestTimeout, requestTime},
		"what is served to nobody":  {"/api/v1/none", "", http.StatusNotFound, remains},
		"a foreign page's, at once": {"/api/v1/none", "Origin: https://evil.example\r\n", http.StatusUnauthorized, remains},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, q := serveQuietly(t)
				conn := w.dial()
				begun := time.Now()
				if _, err := io.WriteString(conn, "POST "+c.path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"+c.head+"\r\n{"); err != nil {
					t.Fatal(err)
				}
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != c.status {
					t.Error(resp.Status, err)
				}
				if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
					t.Error("the connection goes on:", err)
				}
				if took := time.Since(begun); took < c.within || took > c.within+time.Second || q.messages != 0 {
					t.Errorf("after %s, and it is to be %s; %d messages", took, c.within, q.messages)
				}
			})
		})
	}
}

// TestAnAnswerThatIsNotReadHoldsNoConnection asks and reads nothing.
func TestAnAnswerThatIsNotReadHoldsNoConnection(t *testing.T) {
	for path, within := range map[string]time.Duration{"/api/v1/openapi.json": requestTime + slowest, "/api/v1/stream": slowest, "/api/v1/state": slowest} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, q := serveQuietly(t)
				conn := w.dial()
				if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(within + time.Second)
				synctest.Wait()
				if _, err := io.CopyN(io.Discard, conn, 1<<20); !errors.Is(err, io.EOF) {
					t.Fatal("the connection goes on:", err)
				}
				if path == "/api/v1/state" && <-q.taken == nil {
					t.Error("the export goes on")
				}
			})
		})
	}
}

// TestAStreamOutlivesTheTimeOfRequests reads a stream for an hour, and an export a
// little at a time.
func TestAStreamOutlivesTheTimeOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, q := serveQuietly(t)
		events, state := w.dial(), w.dial()
		for conn, path := range map[net.Conn]string{events: "stream", state: "state"} {
			if _, err := fmt.Fprintf(conn, "GET /api/v1/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: x\r\n\r\n", path); err != nil {
				t.Fatal(err)
			}
		}
		begun, beats := time.Now(), 0
		for in := bufio.NewScanner(events); beats < 240 && in.Scan(); {
			if strings.HasPrefix(in.Text(), ": beat") {
				beats++
				if _, err := io.ReadFull(state, make([]byte, 64<<10)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if took := time.Since(begun); took != time.Hour {
			t.Errorf("%d beats in %s", beats, took)
		}
		if events.Close() != nil || state.Close() != nil || <-q.taken == nil {
			t.Error("the export goes on without a reader")
		}
	})
}
