package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

func TestRule1_4_AttemptingIsInDoubtAfterRestart(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	st := claim(t, l)
	if _, err := l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	again := open(t, log, nil)
	got, _ := again.Status(st.Receipt)
	if got.State != continuity.InDoubt || got.Reason != continuity.ReasonRestart || got.Attempts != 1 {
		t.Fatalf("status %+v", got)
	}
	if _, ok := again.Claim("orders"); ok {
		t.Fatal("claimed within settle")
	}
}

// The journal, from its beginning or behind a checkpoint, restores the same state after any history.
func TestRule1_4_JournalAloneRestoresAnyHistory(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				history(t, rand.New(rand.NewPCG(seed, 1)))
			})
		})
	}
}

func history(t *testing.T, rng *rand.Rand) {
	log, cps := newMemLog(), &memCheckpoints{}
	l := open(t, log, cps)
	var claimed []ledger.Status
	n := 0
	for range 170 {
		switch rng.IntN(14) {
		case 0, 1, 2, 3:
			r := record(n, continuity.KeyTag(rng.IntN(6)+1))
			n++
			r.Lost = rng.IntN(5) == 0
			r.Class = continuity.Class(rng.IntN(continuity.Classes))
			if rng.IntN(2) == 0 {
				worth(r, rng.Int64N(1<<rng.IntN(40)), []string{"CNY", "JPY", "AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG"}[rng.IntN(9)])
			}
			if !r.Lost && rng.IntN(4) == 0 {
				again(r, 1000+n)
			}
			accept(t, l, r)
		case 4, 5:
			if st, ok := l.Claim("orders"); ok {
				if _, err := l.Attempt(st.Receipt); err != nil {
					t.Fatal(err)
				}
				claimed = append(claimed, st)
			}
		case 6, 7, 8:
			if len(claimed) == 0 {
				continue
			}
			i := rng.IntN(len(claimed))
			to := []continuity.State{continuity.Queued, continuity.InDoubt, continuity.Parked, continuity.Delivered, continuity.Delivered, continuity.Refused, continuity.Dead}[rng.IntN(7)]
			finish(t, l, continuity.Outcome{Receipt: claimed[i].Receipt, To: to, Counts: rng.IntN(2) == 0, After: time.Duration(rng.IntN(3000)) * time.Millisecond})
			claimed = slices.Delete(claimed, i, i+1)
		case 9, 10:
			if n == 0 {
				continue
			}
			r := receipt(rng.IntN(n))
			st, _ := l.Status(r)
			verbs := []continuity.Verb{continuity.VerbRetry, continuity.VerbDiscard, continuity.VerbEdit, continuity.VerbPark, continuity.VerbDelivered, continuity.VerbUnprocessed, continuity.VerbTold, continuity.VerbReject}
			a := continuity.Act{Receipt: r, Version: st.Version, Verb: verbs[rng.IntN(len(verbs))], Person: "p"}
			if a.Verb == continuity.VerbEdit {
				a.Replacement = record(n, continuity.KeyTag(rng.IntN(6)+1))
				n++
			}
			var err error
			if a.Route = "orders"; a.Verb != continuity.VerbTold && a.Verb != continuity.VerbReject && rng.IntN(4) == 0 {
				err = l.Propose(continuity.Proposed{Act: a})
			} else {
				_, err = l.Act(a)
			}
			if c := continuity.CodeOf(err); c != "" && c != continuity.CodeState && c != continuity.CodeNotFound {
				t.Fatal(err)
			}
		case 11:
			at, err := l.Recording(record(10_000+n, 1))
			if err != nil {
				t.Fatal(err)
			}
			l.Recorded(continuity.Passed{Position: at, To: continuity.Delivered, Status: 200})
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
		case 12:
			if err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		case 13:
			if len(claimed) > 0 || rng.IntN(3) > 0 || log.End() == log.Start() {
				continue
			}
			below := log.Start() + 10*continuity.Position(rng.IntN(int(log.End()-log.Start())/10+1))
			if err := l.Forget(t.Context(), below); err != nil {
				t.Fatal(err)
			}
		}
		if c := l.Counters("orders"); !c.Balanced() {
			t.Fatalf("unbalanced: %+v", c)
		}
	}
	same(t, l, log, cps)
	_ = l.Close()
}

func TestBeginningGoneWithoutCheckpointIsDamage(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	if err := log.Retire(20); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.Restore(log, nil); continuity.CodeOf(err) != continuity.CodeDamaged {
		t.Fatal(err)
	}
}
