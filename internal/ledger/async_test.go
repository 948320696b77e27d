package ledger_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// heard is what a callback was told.
type heard struct {
	st  ledger.Status
	err error
}

// Nobody hears of a request before it is on stable storage, however they wait.
func TestRule1_1_NobodyIsToldBeforeTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		hold := make(chan struct{})
		log.mu.Lock()
		log.hold = hold
		log.mu.Unlock()
		answers := make(chan heard, 4)
		for n := range 3 {
			queued, err := l.AcceptAsync(record(n, 1), false, func(st ledger.Status, err error) {
				if _, ok := l.Status(st.Receipt); !ok && err == nil { // no lock is held
					t.Error("told before it is known")
				}
				answers <- heard{st, err}
			})
			if !queued || err != nil {
				t.Fatalf("queued %v, %v", queued, err)
			}
		}
		if queued, err := l.AcceptAsync(record(0, 1), false, nil); queued || continuity.CodeOf(err) != continuity.CodeInFlight {
			t.Errorf("the same again: queued %v, %v", queued, err)
		}
		if queued, err := l.AcceptAsync(record(9, 2), true, nil); queued || err != nil {
			t.Errorf("a key that is not in the gate: queued %v, %v", queued, err)
		}
		synctest.Wait()
		if len(answers) != 0 {
			t.Fatal("told before the sync")
		}
		close(hold)
		for n := range 3 {
			if a := <-answers; a.err != nil || a.st.Receipt != receipt(n) || a.st.State != continuity.Queued {
				t.Errorf("record %d: %+v", n, a)
			}
		}
		if queued, err := l.AcceptAsync(record(9, 1), true, func(st ledger.Status, err error) { answers <- heard{st, err} }); !queued || err != nil {
			t.Errorf("behind: queued %v, %v", queued, err)
		}
		if a := <-answers; a.err != nil {
			t.Error(a.err)
		}
		same(t, l, log, nil)
	})
}

// A failed sync is told to all of its batch, and nothing is queued any more.
func TestRule1_2_CallersThatDoNotWaitHearOfTheLatch(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	st := accept(t, l, record(1, 1))
	if _, ok := l.Claim("orders"); !ok {
		t.Fatal("nothing to claim")
	}
	log.mu.Lock()
	log.fail = errors.New("EIO")
	log.mu.Unlock()
	answers := make(chan heard, 2)
	tell := func(st ledger.Status, err error) { answers <- heard{st, err} }
	if queued, err := l.AcceptAsync(record(2, 2), false, tell); !queued || err != nil {
		t.Fatalf("queued %v, %v", queued, err)
	}
	if a := <-answers; continuity.CodeOf(a.err) != continuity.CodeOutcomeUnknown {
		t.Errorf("told %v, want outcome-unknown", a.err)
	}
	if queued, err := l.AcceptAsync(record(3, 3), false, tell); queued || continuity.CodeOf(err) != continuity.CodeLatched {
		t.Errorf("afterwards: queued %v, %v", queued, err)
	}
	l.FinishAsync(continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered}, tell)
	if a := <-answers; continuity.CodeOf(a.err) != continuity.CodeLatched {
		t.Errorf("an outcome afterwards: %v, want latched", a.err)
	}
}

// An outcome is told once it is durable; what the log can't hold of it is left
// out, as where somebody waits.
func TestFinishWithoutWaiting(t *testing.T) {
	log := newMemLog()
	log.largest = 4 << 10
	l := open(t, log, nil)
	accept(t, l, record(1, 1))
	accept(t, l, record(2, 1))
	answers := make(chan heard, 1)
	tell := func(st ledger.Status, err error) { answers <- heard{st, err} }
	for n := 1; n <= 2; n++ {
		st := claim(t, l)
		if _, err := l.Attempt(st.Receipt); err != nil {
			t.Fatal(err)
		}
		o := continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201, Body: make([]byte, n*3<<10)}}
		l.FinishAsync(o, tell)
		a := <-answers
		if a.err != nil || a.st.State != continuity.Delivered {
			t.Fatalf("record %d: %+v", n, a)
		}
		resp, err := l.Response(a.st.Outcome)
		if err != nil || resp.Status != 201 || resp.Cut != (n == 2) {
			t.Errorf("record %d: response %+v, %v", n, resp, err)
		}
	}
	l.FinishAsync(continuity.Outcome{Receipt: receipt(7), To: continuity.Delivered}, tell)
	if a := <-answers; continuity.CodeOf(a.err) != continuity.CodeNotFound {
		t.Errorf("an unknown record: %v", a.err)
	}
	same(t, l, log, nil)
}
