package ledger_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"

	"holdfast/internal/continuity"
	"holdfast/internal/journal/journaltest"
	"holdfast/internal/ledger"
)

const secretPhone = "13800001111-of-the-customer"

func subject() ledger.Subject { return ledger.Subject{Route: "orders", Key: 7, Text: secretPhone} }

func private(n int, key continuity.KeyTag) *continuity.Record {
	r := record(n, key)
	r.KeyText, r.Caller, r.Body = secretPhone, "user-"+secretPhone, fmt.Appendf(nil, `{"phone":"%s"}`, secretPhone)
	r.Target, r.Scopes = "/api/orders?phone="+secretPhone, []string{secretPhone}
	if key != 7 {
		r.KeyText = "other"
	}
	return r
}

// begin keeps a record that was delivered with an answer, one in doubt, one
// queued behind it, one that only passed, and one of somebody else.
func (d *desk) begin() {
	d.t.Helper()
	t := d.t.(*testing.T)
	accept(t, d.l, private(1, 7))
	st := claim(t, d.l)
	if _, err := d.l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	finish(t, d.l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201, Body: []byte(secretPhone)}})
	lost := private(2, 7)
	lost.Lost = true
	accept(t, d.l, lost)
	accept(t, d.l, private(3, 7))
	accept(t, d.l, private(4, 8))
	if _, err := d.l.Recording(private(5, 7)); err != nil {
		t.Fatal(err)
	}
}

// left counts the entries that still hold something of a key.
func (d *desk) left(key continuity.KeyTag) (n int) {
	d.t.Helper()
	own := map[continuity.Receipt]bool{}
	for s, err := range d.log.All(0) {
		if err != nil {
			d.t.Fatal(err)
		}
		e, err := ledger.Decode(s)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, r := range []*continuity.Record{e.Accepted, e.Recorded} {
			if r != nil && r.Key == key {
				own[r.Receipt] = true
			}
		}
		about := e.Accepted != nil && own[e.Accepted.Receipt] || e.Recorded != nil && own[e.Recorded.Receipt] || e.Outcome != nil && own[e.Outcome.Receipt]
		if about && bytes.Contains(s.Payload, []byte(secretPhone)) {
			n++
		}
	}
	return n
}

// TestRule10_3_ErasedWholeAtEveryCrash cuts the power at every operation of an
// erasure; done again it is whole, the books balance, nothing else is touched,
// and what the journal says is what the state was.
func TestRule10_3_ErasedWholeAtEveryCrash(t *testing.T) {
	for at, done := 1, false; !done; at++ {
		if at > 300 {
			t.Fatal("no end")
		}
		synctest.Test(t, func(t *testing.T) {
			d := &desk{t: t, fs: journaltest.NewCrashFS(5)}
			defer d.close()
			if err := d.open(); err != nil {
				t.Fatal(err)
			}
			d.begin()
			synctest.Wait()
			d.fs.CrashAt(at)
			_, _, err := d.l.Erase(t.Context(), subject(), "li.wei", "asked by the customer")
			done = err == nil && !d.fs.Crashed()
			if done && at < 10 {
				t.Fatal("no power cut at all")
			}
			d.close()
			d.fs.Crash(journaltest.Random)
			if err := d.open(); err != nil {
				t.Fatalf("operation %d: %v", at, err)
			}
			if done && d.left(7) > 0 {
				t.Fatalf("%d entries still hold what was erased", d.left(7))
			}
			found, _, err := d.l.Erase(t.Context(), subject(), "li.wei", "asked by the customer")
			if err != nil || len(found) != 4 {
				t.Fatalf("operation %d, again: %d found, %v", at, len(found), err)
			}
			if n := d.left(7); n > 0 {
				t.Fatalf("operation %d: %d entries still hold what was erased", at, n)
			}
			if d.left(8) != 1 {
				t.Fatalf("operation %d: somebody else's request was touched", at)
			}
			c := d.l.Counters("orders")
			if !c.Balanced() || c.Accepted != 4 || c.DeliveredAtOnce != 1 || c.Discarded != 2 || c.Queued != 1 {
				t.Fatalf("operation %d: %+v", at, c)
			}
			again, _, err := ledger.Restore(d.log, nil)
			if err != nil || again.Describe() != d.l.Describe() {
				t.Fatalf("operation %d: the journal tells another state: %v\n%s\n%s", at, err, again.Describe(), d.l.Describe())
			}
			found, err = d.l.Find(t.Context(), subject(), "li.wei", "")
			if err != nil || len(found) != 4 {
				t.Fatalf("%d found, %v", len(found), err)
			}
			for _, f := range found {
				if !f.Erased {
					t.Errorf("not erased: %+v", f)
				}
			}
			st, _ := d.l.Status(receipt(1))
			if rec, err := d.l.Record(st.Position); err != nil || !rec.Erased || rec.Receipt != receipt(1) {
				t.Errorf("the record of a repeat: %+v, %v", rec, err)
			}
			if res, err := d.l.Response(st.Outcome); err != nil || res.Status != 201 || len(res.Body) > 0 {
				t.Errorf("the answer: %+v, %v", res, err)
			}
		})
	}
}

// TestRule10_3_AnAnswerThatOutlivesItsRequestIsErased: whose it was nobody can
// tell, so whoever erases anything erases it, too; answers that can still be asked
// for stay.
func TestRule10_3_AnAnswerThatOutlivesItsRequestIsErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, fs: journaltest.NewCrashFS(5)}
		defer d.close()
		if err := d.open(); err != nil {
			t.Fatal(err)
		}
		deliver := func(answer string) {
			t.Helper()
			st := claim(t, d.l)
			if _, err := d.l.Attempt(st.Receipt); err != nil {
				t.Fatal(err)
			}
			finish(t, d.l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201, Body: []byte(answer)}})
		}
		outcomes := func(answer string) (n int) {
			t.Helper()
			for s, err := range d.log.All(0) {
				if err != nil {
					t.Fatal(err)
				}
				if s.Kind == continuity.KindOutcome && bytes.Contains(s.Payload, []byte(answer)) {
					n++
				}
			}
			return n
		}
		accept(t, d.l, private(1, 7))
		gone := claim(t, d.l)
		if _, err := d.l.Attempt(gone.Receipt); err != nil {
			t.Fatal(err)
		}
		for n := range 60 { // into the next segments
			accept(t, d.l, record(n+10, 9))
			deliver("another's answer")
		}
		finish(t, d.l, continuity.Outcome{Receipt: gone.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201, Body: []byte(secretPhone)}})
		last := accept(t, d.l, record(100, 9))
		deliver("a late answer")
		if err := d.l.Forget(t.Context(), last.Position); err != nil {
			t.Fatal(err)
		}
		accept(t, d.l, record(101, 9))
		deliver("a late answer")
		if err := d.l.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.l.Record(gone.Position); err == nil || outcomes(secretPhone) != 1 {
			t.Fatalf("its request is there (%v), or its answer is not (%d)", err, outcomes(secretPhone))
		}
		found, _, err := d.l.Erase(t.Context(), subject(), "li.wei", "asked by the customer")
		if err != nil || len(found) != 0 {
			t.Fatal(found, err)
		}
		if n := outcomes(secretPhone); n != 0 {
			t.Errorf("%d answers are still there", n)
		}
		if n := outcomes("a late answer"); n != 2 {
			t.Errorf("%d answers are left of two that can be asked for", n)
		}
		again, _, err := ledger.Restore(d.log, d.log.Checkpoints())
		if err != nil || again.Describe() != d.l.Describe() {
			t.Errorf("the journal tells another state: %v", err)
		}
	})
}

func TestRule10_3_WhoAskedIsWrittenDown(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, private(1, 7))
	accept(t, l, private(2, 8))
	found, err := l.Find(t.Context(), ledger.Subject{Route: "orders", Caller: "user-" + secretPhone}, "li.wei", "a question")
	if err != nil || len(found) != 2 || found[0].State != continuity.Queued {
		t.Fatal(found, err)
	}
	for s := range log.All(0) {
		e, err := ledger.Decode(s)
		if err != nil {
			t.Fatal(err)
		}
		if p := e.Privacy; p != nil && p.Person == "li.wei" && p.Why == "a question" && p.Count == 2 && !p.Erased {
			return
		}
	}
	t.Fatal("nothing in the journal")
}

// TestErasedPayloadsKeepTheirLength takes every length there can be.
func TestErasedPayloadsKeepTheirLength(t *testing.T) {
	for n := 3; n < 20_000; n += 1 + n/300 {
		for _, more := range []int{n, 130, 131, 132, 16387, 16388} {
			b, err := ledger.Pad(nil, more)
			if err != nil || len(b) != more {
				t.Fatalf("%d bytes: %d, %v", more, len(b), err)
			}
		}
	}
}
