package control

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/store/storetest"
)

// TestFeedHasNoGaps has several follow while events are written, from the first
// one, which is longer ago than the feed keeps, or from now on.
func TestFeedHasNoGaps(t *testing.T) {
	s := storetest.Open(t, filepath.Join(t.TempDir(), "state.db"))
	write := func(n int) {
		var changes []continuity.Change
		for i := range n {
			changes = append(changes, continuity.Change{Kind: "thing", ID: fmt.Sprint(i), Version: continuity.VersionAny, Body: json.RawMessage(`1`), Action: "thing.changed"})
		}
		if _, err := s.Apply(t.Context(), continuity.Actor{Kind: "engine", ID: "test"}, changes); err != nil {
			t.Error(err)
		}
	}
	write(100)
	f := newFeed(s, 100, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	var running, following sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	const last = 100 + 30*100
	for _, from := range []int64{0, 50, 100} {
		following.Go(func() {
			for seq := from; seq < last; {
				page, err := f.After(ctx, seq, 37)
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range page {
					if seq++; e.Seq != seq {
						t.Errorf("after %d came %d", seq-1, e.Seq)
						return
					}
				}
			}
		})
	}
	for range 30 {
		write(100)
	}
	following.Wait()
	if len(f.recent) > feedKeeps {
		t.Errorf("%d events are kept", len(f.recent))
	}
	stop()
	if _, err := f.After(ctx, last, 1); err == nil {
		t.Error("there was something to wait for after the end")
	}
	running.Wait()
}
