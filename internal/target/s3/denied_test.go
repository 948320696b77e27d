package s3_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"holdfast/internal/continuity"
	"holdfast/internal/target"
	"holdfast/internal/target/targettest"
)

// denying lets a client through to a real server but for some methods, as a bucket's
// policy does.
func denying(t *testing.T, endpoint string, methods ...string) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // what was signed
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range methods {
			if r.Method == method {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
				return
			}
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestWritesAreDenied(t *testing.T) {
	endpoint := store(t, t.TempDir())
	whole := bucket(t, endpoint)
	if err := whole.Put(t.Context(), "a/b.bak", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	targettest.MayOnlyRead(t, bucket(t, denying(t, endpoint, http.MethodDelete, http.MethodPut, http.MethodPost)), "a/b.bak", []byte("x"))
}

// TestAnIdentityThatMayNotDelete writes and reads as any other.
func TestAnIdentityThatMayNotDelete(t *testing.T) {
	endpoint := store(t, t.TempDir())
	b := bucket(t, denying(t, endpoint, http.MethodDelete))
	content := targettest.Noise(6, 3<<20)
	if err := b.Put(t.Context(), "a/b.bak", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	targettest.Fails(t, b.Delete(t.Context(), "a/b.bak"), continuity.CodeForbidden)
	targettest.Holds(t, b, "a/b.bak", content)
}

// TestAReadThatIsCut ends in the middle, by a connection that does: that is neither the end
// of the file nor a file that is too short.
func TestAReadThatIsCut(t *testing.T) {
	endpoint := store(t, t.TempDir())
	content := targettest.Noise(7, 3<<20)
	if err := bucket(t, endpoint).Put(t.Context(), "a/b.bak", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // what was signed
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(r.Body, 1<<20), r.Body}
			return nil
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	t.Cleanup(s.Close)
	r, _, err := bucket(t, s.URL).Open(t.Context(), "a/b.bak")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	targettest.Fails(t, err, continuity.CodeUnreachable)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(content, got) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// listing lets a client through to the server of tests, which takes a delimiter that is
// empty for one that is none of these: then it names folders, and no uploads.
func listing(t *testing.T, endpoint string) string {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		query := r.Out.URL.Query()
		r.SetURL(to)
		if !query.Has("uploads") || query.Get("delimiter") != "" {
			r.Out.Host = r.In.Host // what was signed
			return
		}
		query.Del("delimiter")
		r.Out.URL.RawQuery, r.Out.Host = query.Encode(), to.Host
		r.Out.Header.Del("Authorization")
		r.Out.Header.Set("X-Amz-Content-Sha256", fmt.Sprintf("%x", sha256.Sum256(nil)))
		r.Out = signer.SignV4(*r.Out, targettest.Access, targettest.Secret, "", "x")
	}}
	s := httptest.NewServer(pass)
	t.Cleanup(s.Close)
	return s.URL
}

// TestASweepRemovesUploadsOnly asks a server that names folders where uploads were asked
// for. To abort an upload without a name would be to delete a file.
func TestASweepRemovesUploadsOnly(t *testing.T) {
	dir := t.TempDir()
	endpoint := store(t, dir)
	begin(t, endpoint, "holdfast/a/1.bak")
	b := bucket(t, endpoint)
	if err := b.Put(t.Context(), "a/b.bak", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Error(n, err)
	}
	targettest.Holds(t, b, "a/b.bak", []byte("x"))
}

// begin begins an upload of each file, and leaves it.
func begin(t *testing.T, endpoint string, names ...string) *minio.Core {
	t.Helper()
	at, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	core, err := minio.NewCore(at.Host, &minio.Options{Creds: credentials.NewStaticV4(targettest.Access, targettest.Secret, ""), Region: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		id, err := core.NewMultipartUpload(t.Context(), "shop-backups", name, minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := core.PutObjectPart(t.Context(), "shop-backups", name, id, 1, bytes.NewReader([]byte("x")), 1, minio.PutObjectPartOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return core
}

func TestASweepGoesByAge(t *testing.T) {
	endpoint := listing(t, store(t, t.TempDir()))
	b, core := bucket(t, endpoint), begin(t, endpoint, "holdfast/a/1.bak", "holdfast/a/2.bak", "others/3.bak")
	for _, c := range []struct {
		age  time.Duration
		want int
	}{{target.SweepAge, 0}, {0, 2}, {0, 0}} {
		if n, err := b.Sweep(t.Context(), c.age); n != c.want || err != nil {
			t.Errorf("%v: %d swept, want %d, %v", c.age, n, c.want, err)
		}
	}
	left := 0
	for upload := range core.Client.ListIncompleteUploads(t.Context(), "shop-backups", "", true) {
		if left++; upload.Err != nil || upload.Key != "others/3.bak" {
			t.Error(upload)
		}
	}
	if left != 1 {
		t.Error("of another's uploads there are ", left)
	}
}
