package http1_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// net/http's client against our server.
func TestServerWithNetHTTPClient(t *testing.T) {
	blob := make([]byte, 300_000)
	rand.Read(blob)
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		r := x.Request()
		switch r.Path() {
		case "/echo":
			x.Stream(200, []continuity.Field{{Name: "X-Length", Value: fmt.Sprint(r.Length)}}, r.Length, r.Body)
		case "/blob":
			x.Respond(200, nil, blob)
		case "/chunked":
			x.Stream(200, nil, -1, bytes.NewReader(blob))
		case "/piped":
			x.Stream(200, nil, -1, struct{ io.Reader }{bytes.NewReader(blob)})
		case "/sized":
			x.Stream(200, nil, int64(len(blob)), bytes.NewReader(blob))
		case "/none":
			x.Respond(204, nil, nil)
		default:
			x.Respond(404, nil, []byte("no such path"))
		}
	}})
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/blob", "/chunked", "/piped", "/sized"} {
		for _, method := range []string{"GET", "HEAD"} {
			req, _ := http.NewRequest(method, "http://"+address+path, nil)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(method, path, err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			want := blob
			if method == "HEAD" {
				want = nil
			}
			if err != nil || !bytes.Equal(got, want) || resp.StatusCode != 200 || resp.Header.Get("Date") == "" {
				t.Errorf("%s %s: status %d, %d bytes, err %v", method, path, resp.StatusCode, len(got), err)
			}
		}
	}
	for _, size := range []int{0, 1, 1000, 70_000, 300_000} {
		for _, sized := range []bool{true, false} {
			var body io.Reader = bytes.NewReader(blob[:size])
			if !sized {
				body = struct{ io.Reader }{body}
			}
			resp, err := client.Post("http://"+address+"/echo", "application/octet-stream", body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(got, blob[:size]) {
				t.Errorf("echo of %d bytes, sized %v: got %d, err %v", size, sized, len(got), err)
			}
		}
	}
	resp, err := client.Get("http://" + address + "/none")
	if err != nil || resp.StatusCode != 204 || resp.ContentLength != 0 || resp.Header.Get("Content-Length") != "" {
		t.Errorf("204: %+v, %v", resp, err)
	}
}

// Our client against net/http's server.
func TestPoolWithNetHTTPServer(t *testing.T) {
	blob := make([]byte, 300_000)
	rand.Read(blob)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(400)
				return
			}
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
			w.Write(body)
		case "/flushed":
			for part := range slices.Chunk(blob, 50_000) {
				w.Write(part)
				w.(http.Flusher).Flush()
			}
		case "/close":
			w.Header().Set("Connection", "close")
			w.Write(blob)
		}
	}))
	defer server.Close()
	pool := http1.NewPool(http1.PoolOptions{Address: strings.TrimPrefix(server.URL, "http://")})
	defer pool.Close()
	for _, path := range []string{"/flushed", "/close"} {
		if r, body := roundTrip(t, pool, get(path)); r.Status != 200 || body != string(blob) {
			t.Errorf("%s: status %d, %d bytes", path, r.Status, len(body))
		}
		head := get(path)
		head.Method = "HEAD"
		if r, body := roundTrip(t, pool, head); r.Status != 200 || body != "" {
			t.Errorf("HEAD %s: status %d, %d bytes", path, r.Status, len(body))
		}
	}
	for _, size := range []int{0, 1, 1000, 40_000, 70_000, 300_000} {
		for _, sized := range []bool{true, false} {
			r := post(string(blob[:size]))
			r.Target = "/echo"
			if !sized {
				r.Length = -1
			}
			response, body := roundTrip(t, pool, r)
			if response.Status != 200 || body != string(blob[:size]) {
				t.Errorf("echo of %d bytes, sized %v: status %d, got %d", size, sized, response.Status, len(body))
			}
			if got := http1.Get(response.Header, "X-Length"); got != fmt.Sprint(r.Length) {
				t.Errorf("the server saw length %s, want %d", got, r.Length)
			}
		}
	}
}

// Both ends are ours, many exchanges at once, bodies of all sizes and framings:
// nothing may get mixed up on the way through.
func TestPassThroughKeepsExchangesApart(t *testing.T) {
	back := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		r := x.Request()
		x.Stream(200, []continuity.Field{{Name: "X-Id", Value: r.Get("X-Id")}}, r.Length, r.Body)
	}})
	pool := http1.NewPool(http1.PoolOptions{Address: back, Conns: 16})
	defer pool.Close()
	front := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		response, err := pool.RoundTrip(x.Context(), x.Request())
		if err != nil {
			x.Respond(502, nil, []byte(err.Error()))
			return
		}
		defer response.Body.Close()
		x.Stream(response.Status, response.Header, response.Length, response.Body)
	}})
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			for n := range 40 {
				id := fmt.Sprintf("%d-%d", worker, n)
				body := strings.Repeat(id+",", 1+n*n*3)
				var reader io.Reader = strings.NewReader(body)
				if n%2 == 1 {
					reader = struct{ io.Reader }{reader}
				}
				req, _ := http.NewRequestWithContext(context.Background(), "POST", "http://"+front+"/x", reader)
				req.Header.Set("X-Id", id)
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Error(id, err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != body || resp.Header.Get("X-Id") != id {
					t.Errorf("%s: status %d, id %q, %d bytes of %d, err %v", id, resp.StatusCode, resp.Header.Get("X-Id"), len(got), len(body), err)
					return
				}
			}
		})
	}
	wg.Wait()
}
