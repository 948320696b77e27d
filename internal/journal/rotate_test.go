package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"

	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
	"holdfast/internal/keyring"
)

// exchange is a journal whose master key is exchanged.
type exchange struct {
	t    *testing.T
	path string
	*world
}

func (x *exchange) ring() *keyring.Ring {
	x.t.Helper()
	r, err := keyring.Load(x.path)
	if err != nil {
		x.t.Fatal(err)
	}
	return r
}

func (x *exchange) start(r *keyring.Ring) error {
	o := x.options()
	o.Ring = r
	log, _, err := journal.Open(o)
	if err != nil {
		return err
	}
	x.log = log
	return x.check()
}

func begin(t *testing.T) (*exchange, []byte) {
	t.Helper()
	x := &exchange{t: t, path: filepath.Join(t.TempDir(), "master.key"), world: newWorld(t, 7)}
	if _, err := keyring.Create(x.path); err != nil {
		t.Fatal(err)
	}
	if err := x.start(x.ring()); err != nil {
		t.Fatal(err)
	}
	for n := range 6 { // over several segments
		if err := x.append(journaltest.Batch(x.next, 2, 2000+n)); err != nil {
			t.Fatal(err)
		}
	}
	secret, err := x.log.Secret("identity", 32)
	if err != nil {
		t.Fatal(err)
	}
	return x, secret
}

// TestPowerCutWhileTheMasterKeyIsExchanged cuts the power at every operation of
// an exchange, and then the exchange that follows at the next start has to be
// good enough to do without the old key.
func TestPowerCutWhileTheMasterKeyIsExchanged(t *testing.T) {
	for _, loss := range []journaltest.Loss{journaltest.DropAll, journaltest.Random, journaltest.KeepAll} {
		for at, done := 1, false; !done; at++ {
			synctest.Test(t, func(t *testing.T) {
				x, secret := begin(t)
				r := x.ring()
				if err := x.log.Close(); err != nil {
					t.Fatal(err)
				}
				if err := x.start(r); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // what is made ready ahead is ready
				if err := r.Add(x.path); err != nil {
					t.Fatal(err)
				}
				x.fs.CrashAt(at)
				err := x.log.Rewrap()
				done = err == nil && !x.fs.Crashed()
				if done && at < 10 {
					t.Fatal("no power cut at all")
				}
				_ = x.log.Close()
				x.fs.Crash(loss)
				where := fmt.Sprintf("%v, operation %d", loss, at)
				if err := x.start(x.ring()); err != nil {
					t.Fatalf("%s: with both keys: %v", where, err)
				}
				if now, err := x.log.Secret("identity", 32); err != nil || !bytes.Equal(now, secret) {
					t.Fatalf("%s: with both keys another secret: %v", where, err)
				}
				if err := x.log.Rewrap(); err != nil {
					t.Fatalf("%s: again: %v", where, err)
				}
				if err := x.append(journaltest.Batch(x.next, 2, 100)); err != nil {
					t.Fatalf("%s: append: %v", where, err)
				}
				both := x.ring()
				if err := both.Drop(x.path); err != nil {
					t.Fatal(err)
				}
				if err := x.log.Close(); err != nil {
					t.Fatal(err)
				}
				if err := x.start(x.ring()); err != nil {
					t.Fatalf("%s: without the old key: %v", where, err)
				}
				if now, err := x.log.Secret("identity", 32); err != nil || !bytes.Equal(now, secret) {
					t.Fatalf("%s: without the old key another secret: %v", where, err)
				}
				if err := x.log.Close(); err != nil {
					t.Fatal(err)
				}
			})
			if at > 500 {
				t.Fatal("no end")
			}
		}
	}
}

func TestTheOldMasterKeyOpensNothingAfterwards(t *testing.T) {
	x, _ := begin(t)
	old, r := x.ring(), x.ring()
	_ = x.log.Close()
	if err := x.start(r); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more, from keys that were exchanged already
		if err := errors.Join(r.Add(x.path), x.log.Rewrap(), r.Drop(x.path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.append(journaltest.Batch(x.next, 3, 4000)); err != nil {
		t.Fatal(err)
	}
	if err := x.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := x.start(old); !errors.Is(err, journal.ErrNoKey) {
		t.Fatalf("with the old key: %v", err)
	}
	if err := x.start(x.ring()); err != nil {
		t.Fatalf("with the new key: %v", err)
	}
}
