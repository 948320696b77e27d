package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestFanGivesAllTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	f := &fan{stall: time.Minute}
	sums := make([][32]byte, 3)
	for i := range sums {
		f.start(t.Context(), func(_ context.Context, in io.Reader) error {
			b, err := io.ReadAll(in)
			sums[i] = sha256.Sum256(b)
			return err
		})
	}
	var all bytes.Buffer
	for range 200 {
		p := make([]byte, r.IntN(3*chunkBytes/2))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		all.Write(p)
		if n, err := f.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		clear(p) // the stream is a copy
	}
	for i, err := range f.close(nil) {
		if err != nil || sums[i] != sha256.Sum256(all.Bytes()) {
			t.Errorf("taker %d: %v", i, err)
		}
	}
}

func TestFanEndsBadlyForAll(t *testing.T) {
	f, bad := &fan{stall: time.Minute}, errors.New("the source is gone")
	for range 2 {
		f.start(t.Context(), func(_ context.Context, in io.Reader) error {
			_, err := io.Copy(io.Discard, in)
			return err
		})
	}
	f.start(t.Context(), func(context.Context, io.Reader) error { return nil }) // reads nothing, and calls that good
	_, _ = f.Write(make([]byte, 1000))
	for i, err := range f.close(bad) {
		if !errors.Is(err, bad) {
			t.Errorf("taker %d: %v", i, err)
		}
	}
}

func TestFanLeavesBehindWhoFails(t *testing.T) {
	f, full := &fan{stall: time.Minute}, errors.New("no space")
	var got atomic.Int64
	f.start(t.Context(), func(_ context.Context, in io.Reader) error {
		_, _ = io.CopyN(io.Discard, in, 1<<20)
		return full
	})
	f.start(t.Context(), func(_ context.Context, in io.Reader) error {
		n, err := io.Copy(io.Discard, in)
		got.Store(n)
		return err
	})
	for range 100 {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if ends := f.close(nil); !errors.Is(ends[0], full) || ends[1] != nil || got.Load() != 100<<20 {
		t.Error(ends, got.Load())
	}
}

func TestFanLeavesBehindWhoTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fan{stall: time.Minute}
		f.start(t.Context(), func(ctx context.Context, _ io.Reader) error {
			<-ctx.Done()
			return ctx.Err()
		})
		var got atomic.Int64
		f.start(t.Context(), func(_ context.Context, in io.Reader) error {
			n, err := io.Copy(io.Discard, in)
			got.Store(n)
			return err
		})
		began := time.Now()
		for range 100 {
			if _, err := f.Write(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		if ends := f.close(nil); !errors.Is(ends[0], errStalled) || ends[1] != nil || got.Load() != 100<<20 || time.Since(began) != time.Minute {
			t.Error(ends, got.Load(), time.Since(began))
		}
	})
}

func TestFanBelievesNobodyWhoSawNoEnd(t *testing.T) {
	f := &fan{stall: time.Minute}
	f.start(t.Context(), func(_ context.Context, in io.Reader) error {
		_, err := io.ReadFull(in, make([]byte, 10))
		return err
	})
	if _, err := f.Write(make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	if ends := f.close(nil); !errors.Is(ends[0], errCut) {
		t.Error(ends)
	}
}

func TestFanWithNobodyLeft(t *testing.T) {
	f := &fan{stall: time.Minute}
	f.start(t.Context(), func(context.Context, io.Reader) error { return errors.New("denied") })
	var err error
	for range 3 * chunkAhead {
		if _, err = f.Write(make([]byte, chunkBytes)); err != nil {
			break
		}
	}
	if ends := f.close(err); !errors.Is(err, errAllGone) || ends[0] == nil {
		t.Error(err, ends)
	}
}
