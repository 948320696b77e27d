package backupkey_test

import (
	"bytes"
	"testing"
	"time"

	"holdfast/internal/backupkey"
)

// FuzzRing looks for files of keys that harm whoever opens them, and for such as open
// though they are not what they are written as.
func FuzzRing(f *testing.F) {
	ring, err := backupkey.New(time.Unix(1e9, 0))
	if err != nil {
		f.Fatal(err)
	}
	key := bytes.Repeat([]byte{1}, 32)
	for _, guard := range []backupkey.Guard{{}, {Key: key}} {
		raw, err := ring.Marshal(guard)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
	}
	f.Add([]byte(`{"format":"holdfast/backup-keys@1","guard":"mode","current":"a","keys":[{"id":"a","made":"2026-11-20T00:00:00Z"}],"sealed":""}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if kind, err := backupkey.GuardOf(raw); err != nil || kind == backupkey.GuardPassphrase { // what that costs is bounded, and too much here
			return
		}
		for _, guard := range []backupkey.Guard{{}, {Key: key}, {Key: key[:5]}} {
			opened, err := backupkey.Unmarshal(raw, guard)
			if err != nil {
				continue
			}
			message := []byte("m")
			id, signature := opened.Sign(message)
			if good, err := opened.Verify(id, message, signature); !good || err != nil || id != opened.Current() {
				t.Error(good, err)
			}
			again, err := opened.Marshal(backupkey.Guard{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := backupkey.Unmarshal(again, backupkey.Guard{Key: key}); err != nil {
				t.Error(err)
			}
		}
	})
}
