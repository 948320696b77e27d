package http1_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/http1"
)

// A string that a handler keeps is its own for good, though the memory of heads
// that others have done with is used again around it.
func TestKeptStringsStay(t *testing.T) {
	var kept []string
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		r := x.Request()
		switch r.Method {
		case "PUT":
			kept = append(kept, r.Target, r.Get("X-Name"))
		default:
			x.(http1.Spender).Spend()
		}
		x.Respond(200, nil, []byte(r.Target))
	}})
	var raw, want strings.Builder
	const many = 300
	for n := range many {
		method := "GET"
		if n%3 == 0 {
			method = "PUT"
			fmt.Fprintf(&want, "/%d/kept name-%d ", n, n)
		}
		fmt.Fprintf(&raw, "%s /%d/kept HTTP/1.1\r\nHost: shop.test\r\nX-Name: name-%d\r\nContent-Length: 0\r\n", method, n, n)
		if n == many-1 {
			raw.WriteString("Connection: close\r\n")
		}
		raw.WriteString("\r\n")
	}
	talk(t, address, raw.String())
	if got := strings.Join(kept, " ") + " "; got != want.String() {
		t.Errorf("kept %q", got)
	}
}
