package probe

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/outgoing"
)

// TestTrustReadsFilesOnly names what is no file of certificates; nobody waits for
// a pipe that nobody writes to.
func TestTrustReadsFilesOnly(t *testing.T) {
	dir := t.TempDir()
	pipe, big := filepath.Join(dir, "pipe"), filepath.Join(dir, "big")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(big, make([]byte, MaxRead+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, big, dir, "/dev/ptmx", "/dev/zero", filepath.Join(dir, "none")} {
		for name, trust := range map[string]Trust{
			"ca":          {CA: path},
			"certificate": {Certificate: path, Key: func() (string, error) { return "", nil }},
		} {
			refused := make(chan error, 1)
			go func() {
				_, err := NewTools("here", outgoing.New(outgoing.Policy{}, nil), nil, nil).Trusting(trust)
				refused <- err
			}()
			select {
			case err := <-refused:
				if err == nil {
					t.Errorf("%s: %s is trusted", name, path)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: %s is waited for", name, path)
			}
		}
	}
}
