package nethttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// A client may leave while early hints are on their way to it. net/http still
// reads them then, and a map that changes meanwhile would end the whole program.
func TestRule11_1_ClientsLeaveAmongEarlyHints(t *testing.T) {
	var hints []continuity.Field
	for n := range 50 {
		hints = append(hints, continuity.Field{Name: fmt.Sprintf("Link-%d", n), Value: "</style.css>; rel=preload"})
	}
	ended := make(chan struct{})
	address, _ := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		defer func() { ended <- struct{}{} }()
		for x.Context().Err() == nil {
			_ = x.(http1.Informer).Inform(103, hints)
		}
	})
	c := client(t, false)
	for range 200 {
		ctx, leave := context.WithCancel(t.Context())
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
			leave()
			return nil
		}})
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := c.Do(req); err == nil {
			resp.Body.Close()
		}
		<-ended
	}
}
