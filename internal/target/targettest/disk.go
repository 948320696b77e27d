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

// NoMoreWrites makes a disk of SmallDisk one that can only be read.
func NoMoreWrites(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}
