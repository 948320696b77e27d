package app

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"holdfast/internal/api"
)

// A waiting line that a person starts lets the users of its first batch in at
// once and the others, who keep their tokens, when that batch has done well; at
// its end nobody needs one.
func TestWaitingLineLetsUsersInByBatches(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
journal: {segment: 1MiB, size: 16MiB}
routes:
  - id: shop
    match: {path: /shop/**}
    upstream: http://%s
    waiting_line: {shares: [50%%, 100%%], hold: 1s, spread: 0s}
`, s.address)))
	const users = 24
	tokens := make([]string, users)
	ask := func(user int) bool {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Addr()+"/shop/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", fmt.Sprint("user ", user))
		if tokens[user] != "" {
			r.Header.Set("Holdfast-Line", tokens[user])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if token := resp.Header.Get("Holdfast-Line"); token != "" {
			tokens[user] = token
		}
		switch resp.StatusCode {
		case http.StatusCreated:
			s.next()
			return true
		case http.StatusServiceUnavailable:
			if resp.Header.Get("Holdfast-State") != "waiting" || resp.Header.Get("Retry-After") == "" {
				t.Errorf("a waiting user got %v", resp.Header)
			}
			return false
		}
		t.Fatalf("status %d", resp.StatusCode)
		return false
	}
	line := func() *api.WaitingLine {
		t.Helper()
		all, err := client(t, a).Admission(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Line
	}
	reached := func(what string, done func() bool) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for late := time.After(patience); !done(); {
			select {
			case <-tick.C:
			case <-late:
				t.Fatal("waited in vain for " + what)
			}
		}
	}

	if !ask(0) || tokens[0] != "" {
		t.Fatal("somebody waits, or has a token, without a line")
	}
	if _, err := client(t, a).Admit(t.Context(), api.AdmissionRequest{Route: "shop", Line: true, Person: "li.wei", Why: "a sale"}); err != nil {
		t.Fatal(err)
	}
	at := func(open int, want int) {
		t.Helper()
		now, err := client(t, a).Admit(t.Context(), api.AdmissionRequest{Route: "shop", Line: true, Open: open, Person: "li.wei", Why: "a sale"})
		if err != nil || now[0].Line == nil || now[0].Line.Most != want {
			t.Fatal(now, err)
		}
	}
	at(1, 1)
	if _, err := client(t, a).Admit(t.Context(), api.AdmissionRequest{Route: "shop", Line: true, Open: 2, Person: "sun.lan", Why: "mine"}); err == nil {
		t.Error("another one's line was opened")
	}
	at(0, 0)
	var first []int // batch
	for user := range users {
		if ask(user) {
			first = append(first, user)
		}
	}
	if len(first) == 0 || len(first) == users {
		t.Fatalf("%d of %d users are in the first batch", len(first), users)
	}
	if slices.Contains(tokens, "") {
		t.Error("somebody has no token")
	}
	if w := line(); w == nil || w.Open != 1 || len(w.Batches) != 2 {
		t.Fatalf("the line: %+v", w)
	}
	for user := range users { // each stays where he is
		if got, want := ask(user), slices.Contains(first, user); got != want && line().Open == 1 {
			t.Errorf("user %d: in %v, before %v", user, got, want)
		}
	}
	reached("the second batch", func() bool { w := line(); return w == nil || w.Open == 2 })
	for user := range users {
		reached(fmt.Sprint("user ", user), func() bool { return ask(user) })
	}
	reached("the line's end", func() bool { return line() == nil })
	tokens[0] = ""
	reached("a newcomer", func() bool { return ask(0) })
}
