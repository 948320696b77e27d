package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/backup"
)

// counter is a source whose log is the numbers from 1 on: a span has those from From to To.
// It tells a number each second, or less often, and all tens again as one span.
type counter struct {
	has   int // what is before it is gone
	until int
	every time.Duration
	from  atomic.Value
}

func number(n int) backup.Position { return backup.Position{System: "counter", At: fmt.Sprint(n)} }

func (c *counter) Follow(ctx context.Context, from backup.Position, publish func(context.Context, backup.Span) error) error {
	c.from.Store(from.At)
	at := c.has
	if !from.IsZero() {
		if _, err := fmt.Sscan(from.At, &at); err != nil {
			return err
		}
	}
	if at < c.has {
		return backup.ErrNeedsFull
	}
	for ; at < c.until; at++ {
		if err := publish(ctx, c.span(at, at+1)); err != nil {
			return err
		}
		if (at+1)%10 == 0 {
			if err := publish(ctx, c.span(max(at-9, c.has), at+1)); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(c.every, time.Second)):
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (c *counter) span(from, to int) backup.Span {
	return backup.Span{From: number(from), To: number(to), Newest: time.Now(), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(make([]byte, to-from))), nil
	}}
}

func (*counter) Check(chain []backup.Manifest) []backup.Fault {
	return backup.Faults(chain[0], chain[1:])
}

func (*counter) Restore(context.Context, backup.Restore) (backup.Instance, error) {
	return nil, errors.New("numbers are not restored")
}

// Full is at where the source began.
func (c *counter) Full(_ context.Context, w io.Writer, _ []backup.Query, _ backup.Report) (backup.Captured, error) {
	_, err := w.Write([]byte("all"))
	return backup.Captured{Taken: time.Now(), From: number(c.has), To: number(c.has)}, err
}

// away is a place that can be cut off.
type away struct {
	place
	cut atomic.Bool
}

var errCutOff = errors.New("no route to host")

func (a *away) Put(ctx context.Context, name string, r io.Reader) error {
	if a.cut.Load() {
		return errCutOff
	}
	return a.place.Put(ctx, name, r)
}

func (a *away) List(ctx context.Context, prefix string) ([]Object, error) {
	if a.cut.Load() {
		return nil, errCutOff
	}
	return a.place.List(ctx, prefix)
}

// follow runs for a while, and returns what was told.
func (w *world) follow(source *counter, lasts time.Duration, meanwhile func()) []Followed {
	w.Helper()
	w.set.Kind, w.set.Driver = "counter", source
	ctx, cancel := context.WithTimeout(w.Context(), lasts)
	defer cancel()
	var all []Followed
	done := make(chan error, 1)
	go func() { done <- w.engine.Follow(ctx, w.set, func(f Followed) { all = append(all, f) }) }()
	meanwhile()
	if err := <-done; err != nil {
		w.Fatal(err)
	}
	return all
}

func (w *world) logOf(target string) string {
	l := w.list(target)
	if len(l.Chains) == 0 {
		return "no chain"
	}
	c := l.Chains[len(l.Chains)-1]
	if len(c.Logs) == 0 {
		return "no log"
	}
	return fmt.Sprintf("%s-%s %d faults", c.Logs[0].From.At, c.Logs[len(c.Logs)-1].To.At, len(c.Faults))
}

func TestFollow(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		w.T = t
		far := &away{place: place{w.far}}
		w.engine = w.newEngine(Target{Name: "near", At: place{w.near}}, Target{Name: "far", At: far})
		source := &counter{until: 1000, has: 1}
		w.set.Kind, w.set.Driver = "counter", source
		w.capture(backup.TypeFull)
		told := w.follow(source, 200*time.Second, func() {
			time.Sleep(30 * time.Second)
			far.cut.Store(true)
			time.Sleep(60 * time.Second)
			far.cut.Store(false)
		})
		for _, target := range []string{"near", "far"} {
			if got := w.logOf(target); got != "1-201 0 faults" && got != "1-202 0 faults" {
				t.Errorf("%s: %s", target, got)
			}
		}
		var lag, missed int
		for _, f := range told {
			for _, o := range f.Targets {
				if o.Err != nil && o.Target == "far" {
					missed++
				}
			}
			if f.At.Sub(f.Newest) > 5*time.Second {
				lag++
			}
		}
		if missed < 55 || missed > 85 || lag > 0 {
			t.Errorf("far missed %d of %d spans; %d were late", missed, len(told), lag)
		}
		if got := source.from.Load(); got != "1" {
			t.Errorf("began at %v", got)
		}
		end := w.logOf("near")
		// Another run goes on where this one ended.
		w.follow(source, 20*time.Second, func() {})
		if got := "1-" + source.from.Load().(string) + " 0 faults"; got != end {
			t.Errorf("went on at %s, the log was %s", got, end)
		}
	})
}

func TestFollowWhileNoTargetTakesIt(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		w.T = t
		far := &away{place: place{w.far}}
		w.engine = w.newEngine(Target{Name: "far", At: far})
		source := &counter{until: 100, has: 1}
		w.set.Kind, w.set.Driver = "counter", source
		w.capture(backup.TypeFull)
		told := w.follow(source, 100*time.Second, func() {
			time.Sleep(10 * time.Second)
			far.cut.Store(true)
			time.Sleep(30 * time.Second)
			far.cut.Store(false)
		})
		failed := 0
		for _, f := range told {
			if f.To.IsZero() && len(f.Targets) == 1 && f.Targets[0].Err != nil {
				failed++
			}
		}
		l := w.list("far")
		if failed == 0 || len(l.Chains[0].Faults) > 0 || len(l.Chains[0].Logs) == 0 {
			t.Errorf("%d failures were told, %s", failed, w.logOf("far"))
		}
	})
}

func TestFollowWhereTheSourceHasNoMore(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		w.T = t
		source := &counter{until: 1000, has: 1}
		w.set.Kind, w.set.Driver = "counter", source
		w.capture(backup.TypeFull)
		w.follow(source, 20*time.Second, func() {})
		source.has = 500
		told := w.follow(source, 20*time.Second, func() {})
		if len(told) == 0 || !told[0].NeedsFull {
			t.Fatal("nobody was told that a full piece is needed")
		}
		if l := w.list("near"); len(l.Chains[0].Faults) != 1 || l.Chains[0].Faults[0].Kind != backup.FaultMissing {
			t.Error(l.Chains[0].Faults)
		}
		w.capture(backup.TypeFull)
		if got := w.logOf("near"); got != "500-520 0 faults" && got != "500-521 0 faults" {
			t.Error(got)
		}
	})
}

func TestSpansThatOthersCoverGo(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		w.T = t
		source := &counter{until: 5000, has: 1, every: 10 * time.Second}
		w.set.Kind, w.set.Driver = "counter", source
		w.capture(backup.TypeFull)
		w.follow(source, 40*time.Minute, func() {})
		names, err := filepath.Glob(filepath.Join(w.near, w.set.Folder(), "*"+backup.Extension))
		// 24 spans of ten, and the single ones of the last quarter of an hour.
		if err != nil || len(names) < 24+80 || len(names) > 24+110 {
			t.Error(len(names), "files are left", err)
		}
		if got := w.logOf("far"); got != "1-241 0 faults" && got != "1-242 0 faults" {
			t.Error(got)
		}
	})
}

// A target that can't be given what it misses takes no part in what is safe: a span that
// nobody else takes stays with the source.
func TestFollowIsNotSafeOnATargetThatMissesSomething(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		w.T = t
		near, far := &away{place: place{w.near}}, &filling{place: place{w.far}}
		w.engine = w.newEngine(Target{Name: "near", At: near}, Target{Name: "far", At: far})
		source := &counter{until: 1000, has: 1}
		w.set.Kind, w.set.Driver = "counter", source
		w.capture(backup.TypeFull)
		far.full.Store(true)
		w.follow(source, 20*time.Second, func() {})
		told := w.follow(source, 100*time.Second, func() {
			time.Sleep(5 * time.Second)
			near.cut.Store(true)
			time.Sleep(5 * time.Second)
			near.cut.Store(false)
		})
		if l := w.list("near"); len(l.Chains[0].Faults) > 0 {
			t.Errorf("the log on the only target that took anything: %s, %v", w.logOf("near"), l.Chains[0].Faults)
		}
		for _, f := range told {
			for _, o := range f.Targets {
				if o.Target == "far" && o.Err == nil {
					t.Fatalf("%v was told to be safe on a target that takes nothing", f.To)
				}
			}
		}
	})
}

// filling is a place that can be listed, and takes nothing more.
type filling struct {
	place
	full atomic.Bool
}

func (f *filling) Put(ctx context.Context, name string, r io.Reader) error {
	if f.full.Load() {
		return syscall.ENOSPC
	}
	return f.place.Put(ctx, name, r)
}
