package swap

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

const id = "abc123"

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func stands(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if got := string(b); got != want || want == "" && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func prepare(t *testing.T, source bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	if source {
		put(t, path, "old")
	}
	put(t, Sibling(path, id), "new")
	if err := Prepared(path, id); err != nil {
		t.Fatal(err)
	}
	return path
}

func do(t *testing.T, step func(path, id string) error, path string) {
	t.Helper()
	for range 2 { // each step may come twice
		if err := step(path, id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwitchUndoDrop(t *testing.T) {
	for _, source := range []bool{true, false} {
		old := map[bool]string{true: "old"}[source]
		path := prepare(t, source)
		do(t, Switch, path)
		stands(t, path, "new")
		stands(t, Sibling(path, id), old)
		do(t, Undo, path)
		stands(t, path, old)
		stands(t, Sibling(path, id), "new")
		do(t, Switch, path)
		do(t, Drop, path)
		stands(t, path, "new")
		left, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := Switch(path, id); !errors.Is(err, ErrNotPrepared) {
			t.Errorf("switching to nothing: %v", err)
		}
	}
}

// Where the system can't exchange, a crash leaves the two in one of these states.
func TestEachStateOfRenamingStepByStep(t *testing.T) {
	forth := []func(path string) error{
		func(path string) error { return os.Rename(path, parked(path, id)) },
		func(path string) error { return os.Rename(Sibling(path, id), path) },
		func(path string) error { return os.Rename(parked(path, id), Sibling(path, id)) },
	}
	for steps := range len(forth) + 1 {
		for _, undoing := range []bool{false, true} {
			for _, next := range []string{"switch", "undo", "drop"} {
				path := prepare(t, true)
				if undoing {
					do(t, Switch, path)
				}
				for _, step := range forth[:steps] {
					if err := step(path); err != nil {
						t.Fatal(err)
					}
				}
				switch next {
				case "switch":
					do(t, Switch, path)
					stands(t, path, "new")
					stands(t, Sibling(path, id), "old")
				case "undo":
					do(t, Undo, path)
					stands(t, path, "old")
					stands(t, Sibling(path, id), "new")
				case "drop":
					do(t, Drop, path)
					want := "old"
					if (steps > 1) != undoing {
						want = "new"
					}
					stands(t, path, want)
				}
			}
		}
	}
	path := prepare(t, true)
	if err := stepwise(path, id); err != nil {
		t.Fatal(err)
	}
	stands(t, path, "new")
	stands(t, Sibling(path, id), "old")
}

func TestAHalfPreparedOneIsNotSwitchedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	put(t, path, "old")
	put(t, Sibling(path, id), "half")
	for _, step := range []func(string, string) error{Switch, Undo} {
		if err := step(path, id); !errors.Is(err, ErrNotPrepared) {
			t.Errorf("got %v", err)
		}
	}
	stands(t, path, "old")
	if err := Switch(path, "../x"); !errors.Is(err, ErrNotPrepared) {
		t.Errorf("an id that is a path: %v", err)
	}
}

// Programs that could read what is replaced can read what comes in its place.
func TestSwitchKeepsWhoGetsIn(t *testing.T) {
	path := prepare(t, true)
	if err := os.Chmod(path, 0o640); err != nil { // #nosec G302 -- that is the point
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 4321
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	do(t, Switch, path)
	stands(t, path, "new")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o640 {
		t.Errorf("what was restored is %o, what it replaces was 640", got)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Uid); got != owner {
		t.Errorf("what was restored is of user %d, what it replaces was of %d", got, owner)
	}
}
