package nethttp_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// A head that takes several frames is one for its reader: nothing may come between
// them, not even the farewell of a server that is to be replaced.
func TestRule11_3_NoFarewellWithinAHead(t *testing.T) {
	var large []continuity.Field
	for n := range 40 {
		large = append(large, continuity.Field{Name: "X-Large", Value: fmt.Sprint(n, strings.Repeat("~", 1000))})
	}
	address, complete := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		_ = x.Respond(200, large, nil)
	})
	complete.Retire()
	for range 5 {
		c := client(t, false)
		resp, err := c.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if n := len(resp.Header["X-Large"]); n != len(large) {
			t.Errorf("%d fields", n)
		}
	}
}
