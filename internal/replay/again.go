package replay

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	// longestRetryAfter bounds what an upstream can ask for: a mistaken date
	// must not keep a key back until its records expire.
	longestRetryAfter = time.Hour
)

// backoff is how long a key waits after its nth failure in a row: twice as long
// each time, spread over half of it so that keys which failed together don't
// come back together.
func backoff(n int, jitter float64) time.Duration {
	d := backoffMost
	if n < 1 {
		n = 1
	}
	if n < 10 {
		d = min(backoffFirst<<(n-1), backoffMost)
	}
	return d/2 + time.Duration(jitter*float64(d/2))
}

// retryAfter reads the field of that name, seconds or a date. A date is
// measured against the response's own Date where there is one, since the
// clocks of two machines differ.
func retryAfter(header []continuity.Field, now time.Time) time.Duration {
	text := strings.TrimSpace(http1.Get(header, "Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter) // #nosec G115 -- 32 bits
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(http1.Get(header, "Date")); err == nil {
		now = sent
	}
	return min(max(at.Sub(now), 0), longestRetryAfter)
}

// conflict tells whether a 409 says "the same request is being processed",
// rather than "this can't be done". That has a meaning only where the upstream
// knows the Idempotency-Key, and then if it names a time to come back, or if
// its body is JSON and speaks of idempotency near its beginning, as the
// problem type of the IETF draft and the error codes of the payment providers
// do. Any other 409 is refused, unless the route lists it.
func conflict(route *continuity.Route, header []continuity.Field, resp *continuity.Response) bool {
	if route.Identity.By != continuity.IdempotentKey {
		return false
	}
	if http1.Get(header, "Retry-After") != "" {
		return true
	}
	if resp == nil || !strings.Contains(strings.ToLower(http1.Get(header, "Content-Type")), "json") {
		return false
	}
	head := resp.Body[:min(len(resp.Body), 2048)]
	return strings.Contains(strings.ToLower(string(head)), "idempotency")
}
