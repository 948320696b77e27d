package keyring_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/keyring"
)

func ring(t *testing.T, seed byte) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWrappedKeysOpenWithTheirKeyAndContextOnly(t *testing.T) {
	key := []byte("a data key of thirty-two bytes!!")
	wrapped, err := ring(t, 1).Wrap(key, []byte("segment 7"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(wrapped, key[:8]) {
		t.Fatal("the key is readable")
	}
	got, err := ring(t, 1).Unwrap(wrapped, []byte("segment 7"))
	if err != nil || !bytes.Equal(got, key) {
		t.Fatal(got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another master key": func() ([]byte, error) { return ring(t, 2).Unwrap(wrapped, []byte("segment 7")) },
		"another context":    func() ([]byte, error) { return ring(t, 1).Unwrap(wrapped, []byte("segment 8")) },
		"cut short":          func() ([]byte, error) { return ring(t, 1).Unwrap(wrapped[:5], []byte("segment 7")) },
		"a flipped bit": func() ([]byte, error) {
			flipped := bytes.Clone(wrapped)
			flipped[len(flipped)-1] ^= 1
			return ring(t, 1).Unwrap(flipped, []byte("segment 7"))
		},
	} {
		if _, err := open(); !errors.Is(err, keyring.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDerivedSecretsDifferByPurposeSaltAndKey(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []byte{1, 2} {
		for _, purpose := range []string{"a", "b"} {
			for _, salt := range []string{"x", "y"} {
				secret, err := ring(t, seed).Derive(purpose, []byte(salt), 32)
				if err != nil || len(secret) != 32 {
					t.Fatal(len(secret), err)
				}
				seen[string(secret)] = true
			}
		}
	}
	if len(seen) != 8 {
		t.Fatalf("%d different secrets, not 8", len(seen))
	}
}

func TestCreateNeverReplacesAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "master.key")
	first, err := keyring.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if _, err := keyring.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("made a key where one was: %v", err)
	}
	again, err := keyring.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := first.Wrap([]byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Unwrap(wrapped, nil); err != nil {
		t.Fatal("the file holds another key: ", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Fatal("something was left behind: ", left, err)
	}
}

func TestLoadRefusesWhatOthersCanReadOrIsNoKey(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := strings.Repeat("A", 43) + "="
	for name, path := range map[string]string{
		"readable by others": write("open", good, 0o644),
		"not base64":         write("text", "not a key at all", 0o600),
		"too short":          write("short", "QUJD", 0o600),
		"empty":              write("empty", "", 0o600),
	} {
		if _, err := keyring.Load(path); err == nil {
			t.Errorf("%s: loaded", name)
		} else if strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	if _, err := keyring.Load(write("good", good+"\n", 0o600)); err != nil {
		t.Error(err)
	}
}
