package targettest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Access and Secret open a Store.
const (
	Access = "holdfast"
	Secret = "a secret of tests"
)

var built = sync.OnceValues(func() (string, error) {
	root, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(root, "test", "objectstore", "go.mod")); missing == nil {
			break
		}
		if root == filepath.Dir(root) {
			err = errors.New("test/objectstore is nowhere above")
		}
		root = filepath.Dir(root)
	}
	cache, cacheErr := os.UserCacheDir()
	if err = errors.Join(err, cacheErr); err != nil {
		return "", err
	}
	program := filepath.Join(cache, "holdfast-test", "objectstore")
	build := exec.Command("go", "build", "-o", program, ".") // #nosec G204 -- fixed but for the cache's folder
	build.Dir = filepath.Join(root, "test", "objectstore")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New("building the S3 server of tests: " + string(out))
	}
	return program, nil
})

// Store starts an S3 server on a folder, whose folders are its buckets, and returns its
// address. It ends with the test. Its keys are ACCESS,SECRET; without any, the ones above.
func Store(t testing.TB, folder string, keys ...string) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if len(keys) == 0 {
		keys = []string{Access + "," + Secret}
	}
	args := []string{"serve", "s3", "--config", os.DevNull, "--addr", address}
	for _, key := range keys {
		args = append(args, "--auth-key", key)
	}
	serve := exec.CommandContext(ctx, program, append(args, folder)...) // #nosec G204 -- as above
	log, err := os.Create(filepath.Join(t.TempDir(), "s3.log"))
	if err != nil {
		t.Fatal(err)
	}
	serve.Stdout, serve.Stderr = log, log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = serve.Wait() // it was killed
		_ = log.Close()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		r, err := http.Get("http://" + address) // #nosec G107 -- on this machine
		if err == nil {
			_ = r.Body.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			out, _ := os.ReadFile(log.Name())
			t.Fatal(err, string(out))
		}
	}
}

// SmallDisk mounts a disk of so many megabytes.
func SmallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("mounting a small disk takes root")
	}
	dir := t.TempDir()
	mount(t, dir, size)
	return dir
}
