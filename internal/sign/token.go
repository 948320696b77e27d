package sign

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/outcome"
	"holdfast/internal/upstream"
)

// tokens keeps one token until shortly before it expires. It is fetched once
// however many wait for it; a failure is remembered for a moment, so that a
// backlog does not become a storm at the provider's door.
type tokens struct {
	fetch func(ctx context.Context) (token string, lives time.Duration, err error)

	turn   chan struct{} // held by whoever fetches
	mu     sync.Mutex
	value  string
	until  time.Time
	failed error
	retry  time.Time
}

const failedFor = time.Second

func newTokens(fetch func(context.Context) (string, time.Duration, error)) *tokens {
	return &tokens{fetch: fetch, turn: make(chan struct{}, 1)}
}

func (t *tokens) known(now time.Time) (string, error, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.value != "" && now.Before(t.until):
		return t.value, nil, true
	case t.failed != nil && now.Before(t.retry):
		return "", t.failed, true
	}
	return "", nil, false
}

func (t *tokens) get(ctx context.Context) (string, error) {
	if value, err, ok := t.known(time.Now()); ok {
		return value, err
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-t.turn }()
	if value, err, ok := t.known(time.Now()); ok {
		return value, err
	}
	value, lives, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if err != nil {
		if ctx.Err() == nil { // else somebody's patience ended, which says nothing
			t.failed, t.retry = err, now.Add(failedFor)
		}
		return "", err
	}
	t.value, t.until, t.failed = value, now.Add(lives-min(lives/10, 5*time.Minute)), nil
	return value, nil
}

// drop forgets a token that was refused, unless another has taken its place.
func (t *tokens) drop(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == value {
		t.value = ""
	}
}

// issue asks the provider for a token.
type issue struct {
	signer, method, target string
	body                   string
	token, lives           string   // pointers
	codes                  []string // pointers to where a code of failure may stand
	transient              []string // codes that pass
}

const mostToken = 64 << 10

var errNoToken = errors.New("no token came")

func (i issue) ask(ctx context.Context, next upstream.Sender, host string) (string, time.Duration, error) {
	a := upstream.Attempt{
		Method: i.method, Target: i.target, Host: host, Body: strings.NewReader(i.body), Length: int64(len(i.body)),
		Header: []continuity.Field{{Name: "Accept", Value: "application/json"}, {Name: "Accept-Encoding", Value: "identity"}},
	}
	if i.body != "" {
		a.Header = append(a.Header, continuity.Field{Name: "Content-Type", Value: "application/json; charset=utf-8"})
	}
	res, resp := upstream.SendWhole(ctx, next, a, mostToken)
	if resp == nil {
		return "", 0, fmt.Errorf("sign: %s: token: %w", i.signer, errors.Join(errNoToken, res.Err))
	}
	token, readable := outcome.Value(i.token, resp.Header, resp.Body, resp.Cut)
	if token.Kind == identity.String && token.Text != "" {
		lives, _ := outcome.Value(i.lives, resp.Header, resp.Body, resp.Cut)
		seconds, err := strconv.ParseUint(lives.Text, 10, 31)
		if err != nil || seconds == 0 {
			seconds = 300
		}
		return token.Text, time.Duration(seconds) * time.Second, nil // #nosec G115 -- 31 bits
	}
	code := strconv.Itoa(resp.Status)
	passes := !readable || resp.Status >= 500 || resp.Status == 429
	for _, pointer := range i.codes {
		if v, _ := outcome.Value(pointer, resp.Header, resp.Body, resp.Cut); v.Text != "" {
			code = v.Text
			for _, t := range i.transient {
				passes = passes || t == v.Text
			}
		}
	}
	if passes {
		return "", 0, fmt.Errorf("sign: %s: token: %w, code %.40q", i.signer, errNoToken, code)
	}
	return "", 0, fmt.Errorf("sign: %s: token: %w, code %.40q", i.signer, upstream.ErrCredentials, code)
}

// code reports whether one of the pointers leads to one of the codes.
func code(body []byte, pointers []string, codes ...string) bool {
	for _, p := range pointers {
		v, ok := outcome.Value(p, nil, body, false)
		if !ok || v.Text == "" {
			continue
		}
		for _, c := range codes {
			if v.Text == c {
				return true
			}
		}
	}
	return false
}
