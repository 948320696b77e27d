package ledger_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
)

// shortly and long are two routes: what the first kept goes an hour after its
// end, what the second kept after a year.
func shortly() continuity.Route {
	r := route
	r.Retention, r.Hold.Age = time.Hour, 48*time.Hour
	return r
}

func long() continuity.Route {
	r := shortly()
	r.ID, r.Retention = "letters", 365*24*time.Hour
	return r
}

func secretOf(n int) []byte { return fmt.Appendf(nil, "<content of %d>", n) }

func confided(n int, routeID string) *continuity.Record {
	r := record(n, continuity.KeyTag(n))
	r.Route, r.Body, r.Header = routeID, secretOf(n), append(r.Header, continuity.Field{Name: "X-Secret", Value: string(secretOf(n))})
	r.Target = "/api/orders?q=" + string(secretOf(n))
	return r
}

// keeper is a desk of two routes.
type keeper struct{ *desk }

func (k keeper) open(routes ...continuity.Route) {
	k.t.Helper()
	if err := k.desk.open(); err != nil {
		k.t.Fatal(err)
	}
	k.l.SetRoutes(routes, continuity.Limits{})
}

func (k keeper) end(n int, routeID string, to continuity.State) {
	k.t.Helper()
	t := k.t.(*testing.T)
	accept(t, k.l, confided(n, routeID))
	st, ok := k.l.Claim(routeID)
	if !ok || st.Receipt != receipt(n) {
		t.Fatal("nothing to claim")
	}
	if _, err := k.l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	response := &continuity.Response{Status: 201, Body: secretOf(n), Header: []continuity.Field{{Name: "X-Secret", Value: string(secretOf(n))}}}
	finish(t, k.l, continuity.Outcome{Receipt: st.Receipt, To: to, Response: response})
}

// fill keeps one of each: of the first route 1 delivered, 2 dead and told, 3
// that passed, 4 pending, 5 dead; of the other 6 delivered.
func (k keeper) fill() {
	k.t.Helper()
	k.end(1, "orders", continuity.Delivered)
	k.end(2, "orders", continuity.Dead)
	if _, err := k.l.Act(continuity.Act{Receipt: receipt(2), Verb: continuity.VerbTold, Person: "li.wei", Route: "orders"}); err != nil {
		k.t.Fatal(err)
	}
	if _, err := k.l.Recording(confided(3, "orders")); err != nil {
		k.t.Fatal(err)
	}
	k.end(5, "orders", continuity.Dead)
	k.end(6, "letters", continuity.Delivered)
	accept(k.t.(*testing.T), k.l, confided(4, "orders"))
}

// readable tries to read what is on the disk with every data key that the master
// key still unwraps, whatever the files are called.
func (k keeper) readable() map[int]bool {
	k.t.Helper()
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		k.t.Fatal(err)
	}
	names, err := k.fs.List()
	if err != nil {
		k.t.Fatal(err)
	}
	var files [][]byte
	var keys []cipher.AEAD
	for _, name := range names {
		f, err := k.fs.Process().Open(name)
		if errors.Is(err, fs.ErrNotExist) { // it has another name meanwhile
			return k.readable()
		}
		if err != nil {
			k.t.Fatal(err)
		}
		size, err := f.Size()
		if err != nil {
			k.t.Fatal(err)
		}
		b := make([]byte, size)
		_, _ = f.ReadAt(b, 0)
		_ = f.Close()
		files = append(files, b)
		if len(b) < 4096 {
			continue
		}
		wrapped := b[52:][:min(binary.LittleEndian.Uint32(b[48:]), 4000)]
		if key, err := ring.Unwrap(wrapped, append([]byte("holdfast segment 1"), b[12:40]...)); err == nil {
			block, err := aes.NewCipher(key)
			if err != nil {
				k.t.Fatal(err)
			}
			aead, err := cipher.NewGCM(block)
			if err != nil {
				k.t.Fatal(err)
			}
			keys = append(keys, aead)
		}
	}
	found := map[int]bool{}
	for _, b := range files {
		for _, key := range keys {
			for off := 4096; off+32 <= len(b); off += 8 {
				n := int(binary.LittleEndian.Uint32(b[off+4:]))
				if n <= 0 || off+16+n+16 > len(b) {
					continue
				}
				nonce := make([]byte, 12)
				binary.BigEndian.PutUint32(nonce[8:], uint32(off)) // #nosec G115 -- small
				plain, err := key.Open(nil, nonce, b[off+16:][:n+16], b[off+4:][:12])
				for i := 1; err == nil && i <= 6; i++ {
					found[i] = found[i] || bytes.Contains(plain, secretOf(i))
				}
			}
		}
	}
	return found
}

func (k keeper) wantReadable(where string, want ...int) {
	k.t.Helper()
	found := k.readable()
	for i := 1; i <= 6; i++ {
		if wanted := slices.Contains(want, i); found[i] != wanted {
			k.t.Fatalf("%s: content of %d readable on the disk: %v, want %v", where, i, found[i], wanted)
		}
	}
}

// TestRule10_3_RetentionOfEachRoute takes away what has had its time and nothing
// else.
func TestRule10_3_RetentionOfEachRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper{&desk{t: t, fs: journaltest.NewCrashFS(3)}}
		defer k.close()
		k.open(shortly(), long())
		k.fill()
		k.wantReadable("before", 1, 2, 3, 4, 5, 6)
		time.Sleep(59 * time.Minute)
		if err := k.l.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.wantReadable("within its time", 1, 2, 3, 4, 5, 6)
		// Its time, the coarseness of marks, and the lag.
		for range 30 {
			time.Sleep(time.Minute)
			if err := k.l.Retain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		k.wantReadable("after its time", 4, 5, 6)
		if c := k.l.Counters("orders"); !c.Balanced() || c.DeliveredAtOnce != 1 || c.Discarded != 1 || c.Dead != 1 || c.Queued != 1 || c.Told != 1 {
			t.Errorf("%+v", c)
		}
		for n, want := range map[int]continuity.State{1: continuity.Delivered, 2: continuity.Discarded, 4: continuity.Queued, 5: continuity.Dead, 6: continuity.Delivered} {
			arrival, st := k.l.Arrive(receipt(n))
			if arrival != ledger.Known || st.State != want {
				t.Errorf("a repeat of %d: %v %v", n, arrival, st.State)
			}
			rec, err := k.l.Record(st.Position)
			if err != nil || rec.Receipt != receipt(n) || rec.Expired != (n < 3) || rec.Caller != "public" {
				t.Errorf("record %d: %+v %v", n, rec, err)
			}
		}
		st, _ := k.l.Status(receipt(1))
		if r, err := k.l.Response(st.Outcome); err != nil || r.Status != 201 || !r.Expired || len(r.Body)+len(r.Header) > 0 {
			t.Errorf("the answer: %+v %v", r, err)
		}
		// What ends later goes later, in segments that were written anew before.
		st, ok := k.l.Claim("orders")
		if !ok {
			t.Fatal("nothing to claim")
		}
		deliver(t, k.l, st)
		for range 90 {
			time.Sleep(time.Minute)
			if err := k.l.Retain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		k.wantReadable("when the rest has ended", 5, 6)
		again, _, err := ledger.Restore(k.log, nil)
		if err != nil || again.Describe() != k.l.Describe() {
			t.Fatalf("the journal tells another state: %v", err)
		}
		if report, err := journal.Verify(k.fs.Process()); err != nil || report.Damaged() {
			t.Fatalf("%+v %v", report, err)
		}
	})
}

// TestRule10_3_RetentionAtEveryCrash cuts the power at every operation by which
// content goes; after the restart it goes, and nothing else.
func TestRule10_3_RetentionAtEveryCrash(t *testing.T) {
	for at, done := 1, false; !done; at++ {
		if at > 200 {
			t.Fatal("no end")
		}
		synctest.Test(t, func(t *testing.T) {
			k := keeper{&desk{t: t, fs: journaltest.NewCrashFS(uint64(at))}} // #nosec G115 -- counts
			defer k.close()
			k.open(shortly(), long())
			k.fill()
			time.Sleep(45 * time.Minute)
			k.end(7, "letters", continuity.Delivered) // makes a mark
			time.Sleep(45 * time.Minute)
			synctest.Wait()
			k.fs.CrashAt(at)
			err := k.l.Retain(t.Context())
			done = err == nil && !k.fs.Crashed()
			if done && at < 10 {
				t.Fatal("no power cut at all")
			}
			k.close()
			k.fs.Crash(journaltest.Random)
			k.open(shortly(), long())
			where := fmt.Sprintf("operation %d", at)
			for _, n := range []int{4, 5, 6} {
				if !k.readable()[n] {
					t.Fatalf("%s: content of %d is lost", where, n)
				}
			}
			time.Sleep(15 * time.Minute)
			if err := k.l.Retain(t.Context()); err != nil {
				t.Fatal(where, err)
			}
			k.wantReadable(where, 4, 5, 6)
			if c := k.l.Counters("orders"); !c.Balanced() || c.Accepted != 4 || c.DeliveredAtOnce != 1 || c.Discarded != 1 || c.Queued != 1 {
				t.Fatalf("%s: %+v", where, c)
			}
			again, _, err := ledger.Restore(k.log, nil)
			if err != nil || again.Describe() != k.l.Describe() {
				t.Fatalf("%s: the journal tells another state: %v", where, err)
			}
		})
	}
}

// TestRule12_KeepIsNotCutShort: outside time may run ahead of the relay's, keep
// may not.
func TestRule12_KeepIsNotCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper{&desk{t: t, fs: journaltest.NewCrashFS(3)}}
		defer k.close()
		kept := shortly()
		kept.Record.Keep = time.Hour
		k.open(kept, long())
		k.fill()
		k.close()
		time.Sleep(10 * time.Hour) // no relay runs
		k.open(kept, long())
		time.Sleep(11 * time.Minute)
		if err := k.l.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.wantReadable("kept by the relay's own time", 1, 2, 3, 4, 5, 6)
		k.l.SetRoutes([]continuity.Route{shortly(), long()}, continuity.Limits{})
		if err := k.l.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.wantReadable("by outside time", 4, 5, 6)
	})
}
