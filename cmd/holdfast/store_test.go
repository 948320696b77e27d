package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/internal/target/targettest"
)

var callerForm = regexp.MustCompile(`Credential=([^/]+)/`)

// cmdFarBucket puts before a real S3 server what such servers call a policy: the writer
// deletes nothing.
func cmdFarBucket(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: far-bucket NAME")
	}
	folder := ts.MkAbs("far-buckets")
	ts.Check(os.MkdirAll(filepath.Join(folder, args[0]), 0o700))
	for _, who := range []string{"far-writer", "far-remover"} {
		ts.Check(os.WriteFile(ts.MkAbs(who+".credentials"), []byte(who+"\nsecret-of-"+who+"\n"), 0o600))
	}
	behind, err := url.Parse(targettest.Store(t, folder, "far-writer,secret-of-far-writer", "far-remover,secret-of-far-remover"))
	ts.Check(err)
	callers, err := os.Create(ts.MkAbs("far.callers"))
	ts.Check(err)
	var mu sync.Mutex
	// What is signed names the host that the client sees.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host
	}}
	policy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := "nobody"
		if found := callerForm.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
			caller = found[1]
		}
		mu.Lock()
		_, _ = callers.WriteString(caller + " " + r.Method + "\n") // read by the script
		mu.Unlock()
		if caller != "far-remover" && (r.Method == http.MethodDelete || r.URL.Query().Has("delete")) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)) // to a client that may be gone
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	ts.Defer(func() {
		policy.Close()
		ts.Check(callers.Close())
	})
	ts.Setenv("FAR", policy.URL)
}
