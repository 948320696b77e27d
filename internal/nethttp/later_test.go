package nethttp_test

import (
	"io"
	"testing"

	"holdfast/internal/http1"
)

// What net/http was given is written after the handler has returned, so nobody
// may use the memory of its strings again by then.
func TestRule11_1_HTTP2ReadsAnswersLater(t *testing.T) {
	address, _ := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		said := "read later"
		if _, spends := x.(http1.Spender); spends {
			said = "spent"
		}
		x.Respond(200, nil, []byte(said))
	})
	resp, err := client(t, false).Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "read later" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
