package s3_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/target"
	"holdfast/internal/target/open"
	"holdfast/internal/target/s3"
	"holdfast/internal/target/targettest"
)

func bucket(t *testing.T, endpoint string) target.Target {
	t.Helper()
	b, err := open.Target(t.Context(), "s3://shop-backups/holdfast?region=x&endpoint="+endpoint, targettest.Access+":"+targettest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func store(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "shop-backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	return targettest.Store(t, dir)
}

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	endpoint := store(t, dir)
	if n, err := bucket(t, endpoint).Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Error("nothing was ever sent there: ", n, err)
	}
	targettest.Run(t, bucket(t, endpoint), func(t *testing.T) target.Target { return bucket(t, endpoint) })
	if n, err := bucket(t, listing(t, endpoint)).Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Error("uploads were left: ", n, err)
	}
	settings := s3.Settings{Endpoint: endpoint, Region: "x", Bucket: "none", Access: targettest.Access, Secret: targettest.Secret}
	_, err := s3.New(t.Context(), settings)
	targettest.Fails(t, err, continuity.CodeUnreachable)
	settings.Bucket, settings.Secret = "shop-backups", "another"
	wrong, err := s3.New(t.Context(), settings)
	if err == nil {
		err = wrong.Put(t.Context(), "a", bytes.NewReader(nil))
	}
	targettest.Fails(t, err, continuity.CodeForbidden)
	if strings.Contains(err.Error(), "another") {
		t.Error("the secret stands in: ", err)
	}
}

// TestTheServerGoesAwayInTheMiddle cuts the connection after so many bytes, and answers
// no more.
func TestTheServerGoesAwayInTheMiddle(t *testing.T) {
	endpoint := store(t, t.TempDir())
	direct := bucket(t, endpoint)
	var allowed atomic.Int64
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	go func() {
		for {
			client, err := proxy.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "http://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(client, server) }()
			go func() {
				buffer := make([]byte, 64<<10)
				for {
					n, err := client.Read(buffer)
					if err != nil || allowed.Add(-int64(n)) < 0 {
						break
					}
					if _, err := server.Write(buffer[:n]); err != nil {
						break
					}
				}
				_, _ = client.Close(), server.Close()
			}()
		}
	}()
	allowed.Store(1 << 20)
	cut := bucket(t, "http://"+proxy.Addr().String())
	for _, bytesThrough := range []int64{300_000, 10 << 20, 36 << 20} {
		allowed.Store(bytesThrough)
		err := cut.Put(t.Context(), "shop/cut.bak", bytes.NewReader(targettest.Noise(1, 50<<20)))
		targettest.Fails(t, err, continuity.CodeUnreachable)
	}
	if got := targettest.Names(t, direct, ""); len(got) != 0 {
		t.Error(got)
	}
	if _, err := direct.Sweep(t.Context(), 0); err != nil {
		t.Error(err)
	}
	whole := targettest.Noise(2, 5<<20)
	if err := direct.Put(t.Context(), "shop/whole.bak", bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	allowed.Store(1 << 30)
	targettest.Holds(t, cut, "shop/whole.bak", whole)
}

func TestDiskFull(t *testing.T) {
	b := bucket(t, store(t, targettest.SmallDisk(t, "8m")))
	small := targettest.Noise(1, 1<<20)
	if err := b.Put(t.Context(), "a/small", bytes.NewReader(small)); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "a/large", bytes.NewReader(targettest.Noise(2, 20<<20))); err == nil {
		t.Error("more was put than there is room for")
	}
	if got := targettest.Names(t, b, ""); len(got) != 1 {
		t.Error(got)
	}
	targettest.Holds(t, b, "a/small", small)
}
