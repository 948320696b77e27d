// Package notifytest helps to test channels against servers on this machine.
package notifytest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// Secret is the text of every secret that Tools hand out under a name that has no
// other.
const Secret = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0LW5vdC1vZi1hbnlib2R5"

// Tools reach this machine only. Secrets are looked up in the map by their names.
func Tools(t testing.TB, secrets map[string]string) notify.Tools {
	t.Helper()
	rules, err := outgoing.Rules("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	guard := outgoing.New(outgoing.NewPolicy(rules...), nil)
	return notify.Tools{
		ID: "test", Client: guard.Client, Guard: guard, Now: time.Now, Hook: "https://ack.example/in/test", Log: slog.New(slog.DiscardHandler),
		Secret: func(r secret.Ref) (continuity.Secret, error) {
			if r.Name == "MISSING" {
				return "", errors.New("there is no such secret")
			}
			if text, ok := secrets[r.Name]; ok {
				return continuity.Secret(text), nil
			}
			return Secret, nil
		},
	}
}

// Message is one that any channel can send.
func Message() *notify.Message {
	return &notify.Message{
		Key: "orders-2026-7.n-1.d-1", To: "+8613800138001", Name: "Li Wei", Language: "zh", Urgent: true,
		Subject: "订单处理不可用", Text: "订单处理自 10:02 起不可用。\n请用备用邮箱。", Link: "https://ack.example/a/token", Reply: "k7f3q2", Thread: "orders-2026-7",
	}
}

// Failures sends to a server that fails in every way that HTTP has, and requires
// that the channel says of each what it means and tells nobody what is secret.
// Open makes the channel that sends to an address.
func Failures(t *testing.T, open func(t *testing.T, url string) notify.Channel) {
	t.Helper()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   notify.Failure
	}{
		{"too many", status(429, "7"), notify.Failure{Code: notify.FailRate, Retry: true, After: 7 * time.Second, Status: 429}},
		{"not allowed", status(401, ""), notify.Failure{Code: notify.FailRefused, Status: 401}},
		{"gone", status(410, ""), notify.Failure{Code: notify.FailAddress, Status: 410}},
		{"not now", status(503, "3600"), notify.Failure{Code: notify.FailProvider, Retry: true, After: time.Hour, Status: 503}},
		{"bad gateway", status(502, ""), notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 502}},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2:1/", http.StatusTemporaryRedirect)
		}, notify.Failure{Code: notify.FailSettings, Status: 307}},
		{"cut", cut, notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			_, err := open(t, server.URL).Send(t.Context(), Message())
			if got := Failed(t, err); *got != c.want {
				t.Errorf("%+v, want %+v", *got, c.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		_, err := open(t, server.URL).Send(t.Context(), Message())
		if got := Failed(t, err); got.Code != notify.FailUnreachable || !got.Retry || got.Maybe {
			t.Errorf("%+v", *got)
		}
	})
	t.Run("no answer in time", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel() // the request is there
			<-r.Context().Done()
		}))
		defer server.Close()
		_, err := open(t, server.URL).Send(ctx, Message())
		if got := Failed(t, err); got.Code != notify.FailUncertain || !got.Retry || !got.Maybe {
			t.Errorf("%+v", *got)
		}
	})
}

// Failed is an error as the failure that it must be.
func Failed(t testing.TB, err error) *notify.Failure {
	t.Helper()
	f, ok := errors.AsType[*notify.Failure](err)
	if !ok {
		t.Fatalf("%v is no failure", err)
	}
	if text := err.Error(); strings.Contains(text, "138") || strings.Contains(text, "http") || strings.Contains(text, Secret) {
		t.Errorf("%s says too much", text)
	}
	return f
}

func status(code int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(code)
	}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}
