package relay_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

const eventHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// stream sends each event as it is told to; then it waits until the relay hangs
// up, or hangs up itself.
func stream(events <-chan string, gone chan<- struct{}, cut bool) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, eventHead)
		for e := range events {
			fmt.Fprintf(c, "%x\r\n%s\r\n", len(e), e)
		}
		if cut {
			reset(c)
			return
		}
		io.Copy(io.Discard, c)
		close(gone)
	}
}

// listen asks for events; what it returns begins behind the head, which comes
// before any event.
func (h *house) listen(method string, header ...string) (net.Conn, io.Reader) {
	h.t.Helper()
	body := ""
	if method == "POST" {
		body = order("A")
	}
	c := h.send(request(method, "/orders/events", body, append(header, "Accept: text/event-stream")...))
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		h.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		h.t.Fatalf("answered %d %v", res.StatusCode, res.Header)
	}
	return c, res.Body
}

// Each event is there before the next one is sent, its reader's leaving reaches
// the shop, and a stream that breaks off does not look whole; it is held neither
// before nor after.
func TestRule11_1_EventsFlowAsTheyAreSent(t *testing.T) {
	for _, method := range []string{"GET", "POST"} { // one that is never held, and one that could be
		t.Run(method, func(t *testing.T) {
			h := open(t, patient)
			flow := func(events chan<- string, r io.Reader) {
				t.Helper()
				for n := range 3 {
					want := fmt.Sprintf("id: %d\ndata: x\n\n", n)
					events <- want
					got := make([]byte, len(want))
					if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
						t.Fatalf("%q, %v", got, err)
					}
				}
			}
			events, gone := make(chan string), make(chan struct{})
			h.shop.next(stream(events, gone, false))
			c, r := h.listen(method, "Last-Event-ID: 41")
			if got := h.wantSent(1)[0].Header.Get("Last-Event-ID"); got != "41" {
				t.Errorf("Last-Event-ID %q", got)
			}
			flow(events, r)
			close(events)
			reset(c)
			select {
			case <-gone:
			case <-time.After(20 * time.Second): // a stream that stands still would end after a minute
				t.Error("the shop does not learn that its reader left")
			}

			events = make(chan string)
			h.shop.next(stream(events, nil, true))
			_, r = h.listen(method)
			flow(events, r)
			close(events)
			if rest, err := io.ReadAll(r); err == nil {
				t.Errorf("a stream that was cut looks whole: %q", rest)
			}
			h.wantKept(0)
			if method == "GET" {
				h.shop.close()
				h.use(continuity.Limits{})
				wantProblem(t, h.do("GET", "/orders/events", "", "Accept: text/event-stream"), 503, "not-held")
				h.wantKept(0)
			}
		})
	}
}

func TestRule11_1_WebSocketEndsBothWays(t *testing.T) {
	if now.second {
		return // clients leave HTTP/1.1 for a WebSocket only
	}
	h := open(t, patient)
	t.Run("much at once", func(t *testing.T) {
		h.shop.next(func(c net.Conn) {
			io.WriteString(c, switching)
			io.Copy(c, c)
		})
		c := h.send(webSocket)
		read101(t, c)
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		go c.Write(sent)
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("another megabyte came back, %v", err)
		}
	})
	t.Run("the shop ends it", func(t *testing.T) {
		h.shop.next(raw(switching + "bye"))
		c := h.send(webSocket)
		read101(t, c)
		word := make([]byte, 3)
		if _, err := io.ReadFull(c, word); err != nil || string(word) != "bye" {
			t.Errorf("%q, %v", word, err)
		}
		if n, err := c.Read(word); n != 0 || err != io.EOF {
			t.Errorf("%d more, %v", n, err)
		}
	})
	t.Run("the client ends it", func(t *testing.T) {
		gone := make(chan struct{})
		h.shop.next(func(c net.Conn) {
			io.WriteString(c, switching)
			io.Copy(io.Discard, c)
			close(gone)
		})
		c := h.send(webSocket)
		read101(t, c)
		reset(c)
		<-gone // or the test times out
	})
	t.Run("the shop is down", func(t *testing.T) {
		h.shop.close()
		h.use(continuity.Limits{})
		wantProblem(t, h.webSocket(), 503, "not-held")
		h.wantKept(0)
	})
}

func (h *house) webSocket() reply {
	h.t.Helper()
	r, err := read(h.send(webSocket), "GET")
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}
