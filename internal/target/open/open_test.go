package open_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/target/open"
	"holdfast/internal/target/targettest"
)

const secret = "hunter2hunter2"

// TestAddresses are refused by their form alone, and none of them bears its secret on.
func TestAddresses(t *testing.T) {
	known := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"", "relative/folder", "folder:relative", "file:///srv/backups", "http://host/bucket", "https://u:" + secret + "@host/bucket",
		"s3://", "s3:///folder", "s3://bucket:9000/folder", "s3://" + secret + "@bucket/folder", "s3://u:" + secret + "@bucket/folder",
		"s3://bucket/folder#" + secret, "s3://bucket/a/../b", "s3://bucket/%00", "s3://bucket/folder?endpoint=ftp://host",
		"s3://bucket/folder?endpoint=https://u:" + secret + "@host", "s3://bucket/folder?endpoint=https://u:" + secret + "@host:bad",
		"s3://bucket/folder?endpoint=https://host/path", "s3://bucket/folder?endpoint=https://", "s3://bucket/folder?secret_key=" + secret,
		"s3://bucket/folder?endpoint=https://host/?x=" + secret, "s3://bucket/folder?endpoint=https://host%23" + secret, "s3://bucket/%zz" + secret,
		"sftp://host/folder", "sftp://u@host", "sftp://u:" + secret + "@host/folder", "sftp://u@host/folder?password=" + secret,
		"sftp://u@host/folder?known_hosts=/none/such", "sftp://u@host:port" + secret + "/folder", "sftp://u@/folder",
	} {
		_, err := open.Target(t.Context(), address, "")
		targettest.Fails(t, err, continuity.CodeInvalid)
		told(t, address, err)
	}
	for address, text := range map[string]string{
		"s3://bucket/folder?endpoint=http://127.0.0.1:1":   secret, // no secret key
		"sftp://u@127.0.0.1:1/folder?known_hosts=" + known: "-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret + "\n-----END OPENSSH PRIVATE KEY-----\n",
	} {
		_, err := open.Target(t.Context(), address, text)
		targettest.Fails(t, err, continuity.CodeInvalid)
		told(t, address, err)
	}
}

// told requires an error, and all that it came of, not to bear the secret.
func told(t *testing.T, address string, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("%s: the error bears the secret: %v", address, err)
	}
}

// TestARedirectIsNotFollowed has a server send its client, with whatever proves who that
// is, to another one.
func TestARedirectIsNotFollowed(t *testing.T) {
	asked := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method + " " + r.URL.String() }))
	t.Cleanup(other.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		sends := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.String(), status)
		}))
		at, err := open.Target(t.Context(), "s3://bucket/folder?region=x&endpoint="+sends.URL, "holdfast:"+secret)
		if err == nil {
			_, err = at.List(t.Context(), "")
		}
		if err == nil {
			t.Errorf("%d: another server was taken for the one that was named", status)
		}
		told(t, sends.URL, err)
		sends.Close()
	}
	select {
	case what := <-asked:
		t.Error("another server was asked: ", what)
	default:
	}
}
