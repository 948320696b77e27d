package fetch_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/internal/outgoing"
	"holdfast/internal/outgoing/fetch"
)

func client(t *testing.T, rules ...string) *http.Client {
	t.Helper()
	parsed, err := outgoing.Rules(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return outgoing.New(outgoing.NewPolicy(parsed...), nil).Client(outgoing.Options{Time: 10 * time.Second})
}

func packed(t *testing.T, content io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestGet(t *testing.T) {
	bomb := packed(t, io.LimitReader(spaces{}, 64<<20))
	good := packed(t, bytes.NewReader([]byte("hello")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			if r.Header.Get("If-None-Match") == `"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("ETag", `"1"`)
			_, _ = io.WriteString(w, "hello")
		case "/private":
			if r.Header.Get("Authorization") != "Bearer x" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		case "/packed", "/bomb", "/broken":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(map[string][]byte{"/packed": good, "/bomb": bomb, "/broken": []byte("no gzip at all")}[r.URL.Path])
		case "/br":
			w.Header().Set("Content-Encoding", "br")
		case "/big":
			_, _ = io.Copy(w, io.LimitReader(spaces{}, 3<<20))
		case "/away":
			http.Redirect(w, r, "http://other.example/", http.StatusFound)
		case "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		}
	}))
	defer server.Close()
	get := func(path string, r fetch.Request) (fetch.Answer, *fetch.Failure) {
		r.URL = server.URL + path
		if r.Most == 0 {
			r.Most = 1 << 20
		}
		answer, err := fetch.Get(t.Context(), client(t, "127.0.0.0/8"), r)
		failure := new(fetch.Failure)
		if err != nil && !errors.As(err, &failure) {
			t.Fatal(path, err)
		}
		return answer, failure
	}
	answer, failure := get("/good", fetch.Request{})
	if string(answer.Body) != "hello" || answer.Mark.ETag != `"1"` || failure.Why != "" {
		t.Errorf("%+v, %v", answer, failure)
	}
	if again, _ := get("/good", fetch.Request{Mark: answer.Mark}); !again.Same || again.Mark != answer.Mark {
		t.Errorf("%+v", again)
	}
	if answer, _ := get("/packed", fetch.Request{}); string(answer.Body) != "hello" {
		t.Errorf("%q", answer.Body)
	}
	if _, failure := get("/private", fetch.Request{Auth: "Bearer x"}); failure.Why != "" {
		t.Error(failure)
	}
	for path, why := range map[string]string{
		"/private": fetch.Status, "/bomb": fetch.Big, "/broken": fetch.Packed, "/br": fetch.Packed, "/big": fetch.Big,
		"/away": fetch.Redirect, "/busy": fetch.Status, "/cut": fetch.Unreachable,
	} {
		if _, failure := get(path, fetch.Request{}); failure.Why != why {
			t.Errorf("%s: %q, not %q", path, failure.Why, why)
		}
	}
	if _, failure := get("/busy", fetch.Request{}); failure.After != 2*time.Minute {
		t.Error(failure.After)
	}
	_, err := fetch.Get(t.Context(), client(t), fetch.Request{URL: server.URL})
	var refused *fetch.Failure
	if !errors.As(err, &refused) || refused.Why != fetch.Refused {
		t.Error(err)
	}
	server.CloseClientConnections()
}

func TestCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	_, err := fetch.Get(t.Context(), client(t, "127.0.0.0/8"), fetch.Request{URL: server.URL})
	var failure *fetch.Failure
	if !errors.As(err, &failure) || failure.Why != fetch.Certificate {
		t.Error(err)
	}
}
