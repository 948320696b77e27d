package continuity_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"holdfast/internal/continuity"
)

func TestWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := continuity.NewWaiter()
		w.Block()
		w.Wake()
		w.Wake() // one too many
		w.Wait() // woken before
		var done, back atomic.Bool
		go func() {
			for !done.Load() {
				w.Wait()
			}
			back.Store(true)
		}()
		synctest.Wait()
		w.Wake()
		synctest.Wait()
		if back.Load() {
			t.Error("came back although nothing was done")
		}
		done.Store(true)
		w.Wake()
		synctest.Wait()
		if !back.Load() {
			t.Error("not woken")
		}
	})
}
