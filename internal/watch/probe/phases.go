package probe

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// Phase is a step of a look, and how long after its beginning it was over.
type Phase struct {
	Name  string        `json:"name"` // looked-up, connected, secured, sent, first-byte
	After time.Duration `json:"after"`
}

// Phases has the looks of the context note how far they come; phases returns
// what was noted.
func Phases(ctx context.Context) (phases func() []Phase, _ context.Context) {
	var mu sync.Mutex
	var noted []Phase
	began := time.Now()
	note := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		noted = append(noted, Phase{name, time.Since(began)})
	}
	trace := &httptrace.ClientTrace{
		DNSDone: func(i httptrace.DNSDoneInfo) {
			if i.Err == nil {
				note("looked-up")
			}
		},
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				note("connected")
			}
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				note("secured")
			}
		},
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				note("sent")
			}
		},
		GotFirstResponseByte: func() { note("first-byte") },
	}
	return func() []Phase {
		mu.Lock()
		defer mu.Unlock()
		return append([]Phase{}, noted...)
	}, httptrace.WithClientTrace(ctx, trace)
}
