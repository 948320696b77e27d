package controlapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

func (a *api) change(t *testing.T, kind, service string) {
	t.Helper()
	_, err := a.store.Apply(t.Context(), continuity.Actor{Kind: "engine", ID: "test"}, []continuity.Change{
		{Kind: kind, ID: "x", Service: service, Version: continuity.VersionAny, Body: json.RawMessage(`{"hash":"secret"}`), Action: kind + ".changed"},
	})
	if err != nil {
		t.Error(err)
	}
}

// follow opens a stream and returns its lines.
func follow(t *testing.T, address, query, last string) (lines <-chan string, resp *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/api/v1/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer ann/viewer")
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	if resp, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() }) // it may have ended
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			out <- in.Text()
		}
	}()
	return out, resp
}

// until returns the numbers of the events up to the one that is wanted.
func until(t *testing.T, lines <-chan string, wanted int64) (seqs []int64) {
	t.Helper()
	for line := range lines {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var e EventHead
		if err := json.Unmarshal([]byte(data), &e); err != nil || strings.Contains(data, "secret") {
			t.Fatal(data, err)
		}
		if seqs = append(seqs, e.Seq); e.Seq == wanted {
			return seqs
		}
	}
	t.Fatal("the stream ended after", seqs)
	return nil
}

func TestStreamGoesOnWithoutAGap(t *testing.T) {
	a := newAPI(t)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	for range 3 {
		a.change(t, "check", "shop")
	}
	first, _ := follow(t, srv.URL, "", "")
	if line := <-first; line != "retry: 2000" {
		t.Fatal(line)
	}
	if line := <-first; line != "id: 3" {
		t.Fatal("a stream without a beginning goes on from now on:", line)
	}
	a.change(t, "check", "shop")
	if got := until(t, first, 4); len(got) != 1 {
		t.Error(got)
	}
	for i := range 600 { // more than one page
		a.change(t, "check", []string{"shop", "mail"}[i%2])
	}
	resumed, _ := follow(t, srv.URL, "", "2")
	got := until(t, resumed, 604)
	for i, seq := range got {
		if seq != int64(i+3) {
			t.Fatal("a gap or a repeat at", seq)
		}
	}
	filtered, _ := follow(t, srv.URL, "service=mail&kind=check,plan&after=600", "")
	if got := until(t, filtered, 604); fmt.Sprint(got) != "[602 604]" {
		t.Error(got)
	}
	for _, id := range []string{"605", "-1", "x"} {
		if _, resp := follow(t, srv.URL, "", id); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("after %s: %d", id, resp.StatusCode)
		}
	}
}

func TestStreamBeatsAndEndsWithItsCallersRight(t *testing.T) {
	a := newAPI(t)
	var revoked atomic.Bool
	authenticate := a.Authenticate
	a.Still = func(r *http.Request) (Caller, error) {
		if revoked.Load() {
			return Caller{}, continuity.E(continuity.CodeForbidden, nil, "control", true)
		}
		return authenticate(r)
	}
	a.pulse = 10 * time.Millisecond
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	lines, _ := follow(t, srv.URL, "kind=plan", "")
	a.change(t, "check", "shop")
	for line := range lines {
		if line == "id: 1" { // a heartbeat moves on past what was filtered away
			break
		}
	}
	revoked.Store(true)
	for range lines { // until it ends
	}
}

// TestAStreamThatComesBackUsesNoSession has browsers take up streams that broke
// off: only the first one of a page is a person's doing.
func TestAStreamThatComesBackUsesNoSession(t *testing.T) {
	a := newAPI(t)
	a.change(t, "check", "shop")
	var used atomic.Int64
	authenticate := a.Authenticate
	a.Still = authenticate
	a.Authenticate = func(r *http.Request) (Caller, error) {
		used.Add(1)
		return authenticate(r)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	for _, c := range []struct {
		query, last string
		want        int64
	}{{"", "", 1}, {"", "1", 0}, {"after=1", "", 0}, {"after=1", "1", 0}, {"after=", "", 1}} {
		used.Store(0)
		if _, resp := follow(t, srv.URL, c.query, c.last); resp.StatusCode != http.StatusOK || used.Load() != c.want {
			t.Errorf("%+v: %d, used %d times", c, resp.StatusCode, used.Load())
		}
	}
	a.Still = func(*http.Request) (Caller, error) {
		return Caller{}, continuity.E(continuity.CodeForbidden, nil, "control", true)
	}
	if _, resp := follow(t, srv.URL, "", "1"); resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session that is over: %d", resp.StatusCode)
	}
}

func TestClientFollowsOverBreaks(t *testing.T) {
	a := newAPI(t)
	var streams atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if streams.Add(1) == 1 { // the first one breaks off, and something happens before the next one
			time.AfterFunc(50*time.Millisecond, cancel)
		} else {
			a.change(t, "check", "shop")
		}
		a.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(srv.Close)
	a.change(t, "check", "shop")
	c := NewClient(srv.URL, "ann/viewer", "ann", catalogue.En, nil)
	ctx, stop := context.WithCancel(t.Context())
	var seen []int64
	err := c.Follow(ctx, 0, nil, func(e EventHead) error {
		seen = append(seen, e.Seq)
		if e.Seq == 3 {
			stop()
		}
		if e.Seq == 1 {
			a.change(t, "check", "shop")
		}
		return nil
	})
	if err == nil || fmt.Sprint(seen) != "[1 2 3]" {
		t.Error(seen, err)
	}
}

func TestClientTellsWhatIsWrong(t *testing.T) {
	a := newAPI(t)
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	c := NewClient(srv.URL, "ann/operator", "ann", catalogue.En, nil)
	_, err := Post[thing](t.Context(), c, "/things", thing{Name: "x"})
	if fields := Fields(err); continuity.CodeOf(err) != continuity.CodeInvalid || len(fields) != 1 || fields[0].String() != "/name: At least 2 characters are needed." {
		t.Error(err, fields)
	}
	made, err := Post[thing](t.Context(), c, "/things", thing{Name: "anvil"})
	if err != nil || made.Name != "anvil1" {
		t.Error(made, err)
	}
	_, version, err := Put[thing](t.Context(), c, "/things/a", continuity.VersionNew, made)
	if err != nil || version != 1 {
		t.Error(version, err)
	}
	if _, _, err := Put[thing](t.Context(), c, "/things/a", 7, made); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Error(err)
	}
	srv.Close()
	if _, _, err := Get[thing](t.Context(), c, "/things/a", nil); continuity.CodeOf(err) != continuity.CodeUnreachable {
		t.Error(err)
	}
}
