package backupkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
)

var now = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

const passphrase = "correct horse battery"

func fresh(t *testing.T) *backupkey.Ring {
	t.Helper()
	r, err := backupkey.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func elsewhere(t *testing.T) []byte {
	t.Helper()
	text, err := backupkey.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := backupkey.ReadKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// refusedAs holds an error to its code and to the text that people read of it.
func refusedAs(t *testing.T, err error, code continuity.Code, what string) {
	t.Helper()
	var e *continuity.Error
	if !errors.As(err, &e) || e.Code != code || e.Args["detail_id"] != "backupkey."+what {
		t.Helper()
		t.Errorf("got %v (%+v), want %s, %s", err, e, code, what)
	}
}

func TestWhatIsSealedOpensAfterRotation(t *testing.T) {
	r := fresh(t)
	old := r.Current()
	data, context, message := []byte("a data key of 32 bytes, say"), []byte("bound to this"), []byte("a manifest")
	id, wrapped, err := r.Wrap(data, context)
	if err != nil || id != old || bytes.Contains(wrapped, data) {
		t.Fatal(id, wrapped, err)
	}
	signer, signature := r.Sign(message)
	fresh, err := r.Rotate(now.Add(time.Hour))
	if err != nil || fresh == old || r.Current() != fresh {
		t.Fatal(fresh, old, r.Current(), err)
	}
	if got, err := r.Unwrap(id, wrapped, context); err != nil || !bytes.Equal(got, data) {
		t.Error(got, err)
	}
	if ok, err := r.Verify(signer, message, signature); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := r.Verify(fresh, message, signature); ok || err != nil {
		t.Error("another key's signature counted", err)
	}
	if ok, err := r.Verify(signer, []byte("a Manifest"), signature); ok || err != nil {
		t.Error("another message's signature counted", err)
	}
	_, err = r.Unwrap(fresh, wrapped, context)
	if continuity.CodeOf(err) != continuity.CodeBackupPiece {
		t.Error(err)
	}
	_, err = r.Unwrap(id, wrapped, []byte("bound to that"))
	if continuity.CodeOf(err) != continuity.CodeBackupPiece {
		t.Error(err)
	}
	if id, again, err := r.Wrap(data, context); err != nil || id != fresh || bytes.Equal(again, wrapped) {
		t.Error(id, again, err)
	}

	refusedAs(t, r.Retire(fresh), continuity.CodeState, "current")
	refusedAs(t, r.Retire("aaaaaaaaaa"), continuity.CodeNotFound, "unknown")
	if err := r.Retire(old); err != nil {
		t.Fatal(err)
	}
	_, err = r.Unwrap(id, wrapped, context)
	refusedAs(t, err, continuity.CodeNoKey, "missing-key")
	_, err = r.Verify(signer, message, signature)
	refusedAs(t, err, continuity.CodeNoKey, "missing-key")
}

func TestGuards(t *testing.T) {
	key := elsewhere(t)
	guards := map[string]backupkey.Guard{
		backupkey.GuardMode: {}, backupkey.GuardPassphrase: {Passphrase: passphrase}, backupkey.GuardKey: {Key: key},
	}
	r := fresh(t)
	_, wrapped, err := r.Wrap([]byte("data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(now); err != nil {
		t.Fatal(err)
	}
	for kind, guard := range guards {
		raw, err := r.Marshal(guard)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := backupkey.GuardOf(raw); got != kind || err != nil {
			t.Error(got, kind, err)
		}
		back, err := backupkey.Unmarshal(raw, guard)
		if err != nil {
			t.Fatal(kind, err)
		}
		if data, err := back.Unwrap(r.Keys()[0].ID, wrapped, nil); err != nil || string(data) != "data" || back.Current() != r.Current() {
			t.Error(kind, data, err)
		}
		for other, given := range guards {
			if _, err := backupkey.Unmarshal(raw, given); kind != other && kind != backupkey.GuardMode {
				refusedAs(t, err, continuity.CodeNoKey, "needed")
			}
		}
	}
	raw, err := r.Marshal(backupkey.Guard{Passphrase: passphrase})
	if err != nil {
		t.Fatal(err)
	}
	_, err = backupkey.Unmarshal(raw, backupkey.Guard{Passphrase: passphrase + "."})
	refusedAs(t, err, continuity.CodeNoKey, "closed")
	raw, err = r.Marshal(backupkey.Guard{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	_, err = backupkey.Unmarshal(raw, backupkey.Guard{Key: elsewhere(t)})
	refusedAs(t, err, continuity.CodeNoKey, "closed")
	_, err = r.Marshal(backupkey.Guard{Passphrase: "too short"})
	refusedAs(t, err, continuity.CodeNoKey, "weak")
	_, err = r.Marshal(backupkey.Guard{Key: []byte("short")})
	refusedAs(t, err, continuity.CodeNoKey, "guard-form")
	_, err = backupkey.ReadKey([]byte("c2hvcnQ="))
	refusedAs(t, err, continuity.CodeNoKey, "guard-form")
}

// TestOnePassphraseTypedInTwoWays types an accent as one character and as two.
func TestOnePassphraseTypedInTwoWays(t *testing.T) {
	raw, err := fresh(t).Marshal(backupkey.Guard{Passphrase: "déjà vu à Besançon"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backupkey.Unmarshal(raw, backupkey.Guard{Passphrase: "de\u0301ja\u0300 vu a\u0300 Besanc\u0327on"}); err != nil {
		t.Error(err)
	}
}

func TestOneKeyForAnEmptyMachine(t *testing.T) {
	r := fresh(t)
	old := r.Current()
	_, wrapped, err := r.Wrap([]byte("data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(now); err != nil {
		t.Fatal(err)
	}
	raw, err := r.Marshal(backupkey.Guard{Passphrase: passphrase}, old)
	if err != nil {
		t.Fatal(err)
	}
	one, err := backupkey.Unmarshal(raw, backupkey.Guard{Passphrase: passphrase})
	if err != nil || len(one.Keys()) != 1 || one.Current() != old {
		t.Fatal(one, err)
	}
	if data, err := one.Unwrap(old, wrapped, nil); err != nil || string(data) != "data" {
		t.Error(data, err)
	}
	_, err = r.Marshal(backupkey.Guard{}, "aaaaaaaaaa")
	refusedAs(t, err, continuity.CodeNoKey, "missing-key")
}

// TestChangedRingsAreRefused changes each byte of rings in turn: what opens afterwards
// is the ring that was written.
func TestChangedRingsAreRefused(t *testing.T) {
	seed := uint64(now.UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	guard := backupkey.Guard{Key: elsewhere(t)}
	r := fresh(t)
	if _, err := r.Rotate(now); err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(r.Keys())
	raw, err := r.Marshal(guard)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= byte(1 + random.IntN(255))
		back, err := backupkey.Unmarshal(changed, guard)
		if err != nil {
			refused++
			if continuity.CodeOf(err) != continuity.CodeNoKey {
				t.Error(i, err)
			}
			continue
		}
		if got, _ := json.Marshal(back.Keys()); !bytes.Equal(got, want) {
			t.Errorf("byte %d: %s", i, got)
		}
	}
	if refused < len(raw)*8/10 { // white space may change
		t.Error(refused, len(raw))
	}
	for _, bad := range []string{"", "{}", string(raw) + "{}", `{"format":"holdfast/backup-keys@2"}`, string(bytes.Repeat([]byte(" "), 2<<20))} {
		_, err := backupkey.Unmarshal([]byte(bad), guard)
		refusedAs(t, err, continuity.CodeNoKey, "form")
	}
}

// TestForeignFilesCantUseUpTheMachine asks for more memory than a machine has.
func TestForeignFilesCantUseUpTheMachine(t *testing.T) {
	guard := backupkey.Guard{Passphrase: passphrase}
	raw, err := fresh(t).Marshal(guard)
	if err != nil {
		t.Fatal(err)
	}
	greedy := bytes.Replace(raw, []byte("65536"), []byte("4294967295"), 1)
	if bytes.Equal(greedy, raw) {
		t.Fatal("the cost stands elsewhere")
	}
	_, err = backupkey.Unmarshal(greedy, guard)
	refusedAs(t, err, continuity.CodeNoKey, "form")
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "backup.keys")
	_, err := backupkey.Load(path, backupkey.Guard{})
	refusedAs(t, err, continuity.CodeNoKey, "missing")
	r, err := backupkey.Create(path, backupkey.Guard{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	_, err = backupkey.Create(path, backupkey.Guard{}, now)
	refusedAs(t, err, continuity.CodeState, "exists")
	if again, err := backupkey.Load(path, backupkey.Guard{}); err != nil || again.Current() != r.Current() {
		t.Error(again, err)
	}
	if err := os.Chmod(path, 0o640); err != nil { // #nosec G302 -- that is what is refused
		t.Fatal(err)
	}
	_, err = backupkey.Load(path, backupkey.Guard{})
	refusedAs(t, err, continuity.CodeNoKey, "open")
	_, err = backupkey.ReadFile(dir)
	refusedAs(t, err, continuity.CodeNoKey, "form")
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = backupkey.Load(empty, backupkey.Guard{})
	refusedAs(t, err, continuity.CodeNoKey, "form")
	var e *continuity.Error
	if errors.As(err, &e); e.Args["file"] != empty {
		t.Error(e.Args)
	}
}

// TestEditsAtOnceLoseNoKey adds keys from several sides: a key that is lost is a backup
// that is lost.
func TestEditsAtOnceLoseNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backup.keys")
	if _, err := backupkey.Create(path, backupkey.Guard{}, now); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	const sides, each = 4, 10
	for range sides {
		all.Go(func() {
			for range each {
				err := backupkey.Edit(path, backupkey.Guard{}, func(r *backupkey.Ring) error {
					_, err := r.Rotate(now)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r, err := backupkey.Load(path, backupkey.Guard{})
	if err != nil || len(r.Keys()) != 1+sides*each {
		t.Error(len(r.Keys()), err)
	}
	failed := errors.New("no")
	if err := backupkey.Edit(path, backupkey.Guard{}, func(r *backupkey.Ring) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
}
