package targettest

import (
	"testing"

	"golang.org/x/sys/unix"
)

func mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := unix.Mount("holdfast-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal("mounting a small disk: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}
