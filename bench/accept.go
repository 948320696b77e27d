package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"holdfast/internal/journal"
)

// median of an odd number of ratios or figures.
func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2]
}

// acceptRows measure durable accept beside the same front without a journal and
// beside SQLite, in one interleaved run: front, holdfast, sqlite, front, ...
func (b *bench) acceptRows(delay time.Duration) error {
	kinds := []string{"front", "holdfast", "sqlite"}
	servers := map[string]*child{}
	for _, kind := range kinds {
		c, err := start(kind, b.dir, delay)
		if err != nil {
			return err
		}
		defer c.stop()
		servers[kind] = c
		if _, err := closed(c.addr, 64, b.round/2); err != nil { // warm
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	rates, cpus := map[string][]float64{}, map[string][]float64{}
	var flushes []float64
	var accepted float64 // over all rounds: a segment is filled with zeros in some and not in others
	var sums usage
	for range b.rounds {
		for _, kind := range kinds {
			before, err := servers[kind].usage()
			if err != nil {
				return err
			}
			f, err := closed(servers[kind].addr, 64, b.round)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			after, err := servers[kind].usage()
			if err != nil {
				return err
			}
			used, n := after.since(before), float64(f.requests)
			rates[kind] = append(rates[kind], f.rate())
			cpus[kind] = append(cpus[kind], used.cpu.Seconds()*1e6/n)
			if kind == "holdfast" {
				flushes = append(flushes, float64(used.Syncs)/n)
				accepted += n
				sums.Bytes += used.Bytes
				sums.written += used.written
			}
		}
	}
	ratio := func(a, base string) float64 {
		var r []float64
		for i := range rates[a] {
			r = append(r, rates[a][i]/rates[base][i])
		}
		return median(r)
	}
	name := fmt.Sprintf("durable accept, 64 connections, sync +%v", delay)
	goalFront, goalSQLite := ">= 0.85", ">= 4"
	b.row(name+": against the same front without a journal", fmt.Sprintf("%.2f  (%.0f/s beside %.0f/s; CPU %.1f us beside %.1f us)",
		ratio("holdfast", "front"), median(rates["holdfast"]), median(rates["front"]), median(cpus["holdfast"]), median(cpus["front"])), goalFront)
	b.row(name+": against SQLite behind the same front", fmt.Sprintf("%.2f  (SQLite %.0f/s, CPU %.1f us)",
		ratio("holdfast", "sqlite"), median(rates["sqlite"]), median(cpus["sqlite"])), goalSQLite)
	b.row(name+": flushes a request", fmt.Sprintf("%.3f", median(flushes)), "<= 0.035 (+1ms)")
	b.row(name+": bytes written per accepted 1 KB, zero-fill of fresh segments counted", fmt.Sprintf("%.0f by the journal, %.0f by the device", float64(sums.Bytes)/accepted, float64(sums.written)/accepted), "<= 1536")
	return b.latencies(servers, delay, median(rates["holdfast"]))
}

// latencies come from an open loop, at 70 % of what the server bears, and are
// also given in syncs, as the same files take them on this disk.
func (b *bench) latencies(servers map[string]*child, delay time.Duration, most float64) error {
	var busy, middle, alone, quick, syncs, busySyncs, aloneSyncs []float64
	rate := most * 0.7
	for range b.rounds {
		one, err := syncTime(b.dir, delay)
		if err != nil {
			return err
		}
		syncs = append(syncs, one.Seconds()*1e3)
		f, err := openLoop(servers["holdfast"].addr, 64, rate, b.round)
		if err != nil {
			return err
		}
		busy, middle = append(busy, f.percentile(0.99).Seconds()*1e3), append(middle, f.percentile(0.5).Seconds()*1e3)
		busySyncs = append(busySyncs, f.percentile(0.99).Seconds()/one.Seconds())
		single, err := openLoop(servers["holdfast"].addr, 1, 100, b.round)
		if err != nil {
			return err
		}
		base, err := openLoop(servers["front"].addr, 1, 100, b.round)
		if err != nil {
			return err
		}
		alone, quick = append(alone, single.percentile(0.5).Seconds()*1e3), append(quick, base.percentile(0.5).Seconds()*1e3)
		aloneSyncs = append(aloneSyncs, (single.percentile(0.5)-base.percentile(0.5)).Seconds()/one.Seconds())
	}
	b.row(fmt.Sprintf("accept p99, open loop at %.0f/s (70 %%), sync +%v", rate, delay),
		fmt.Sprintf("%.2f ms, median %.2f ms; p99 of %.1f syncs of %.2f ms", median(busy), median(middle), median(busySyncs), median(syncs)), "<= 1.5 ms; +1ms: <= 2.5 syncs")
	b.row(fmt.Sprintf("accept alone, 1 connection, sync +%v: median", delay),
		fmt.Sprintf("%.2f ms; the same front without a journal %.2f ms; the difference is %.1f syncs", median(alone), median(quick), median(aloneSyncs)), "+1ms: <= 1.2 syncs more")
	return nil
}

// syncTime is the median time of a page's write and sync on the disk under a
// folder, with the delay.
func syncTime(dir string, delay time.Duration) (time.Duration, error) {
	fs := &slowFS{FS: journal.Dir(dir), delay: delay, syncs: new(atomic.Int64), bytes: new(atomic.Int64)}
	const name, size, times = "sync-time", 1 << 20, 101
	f, err := fs.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		_ = fs.Remove(name)
	}()
	if err := f.Zero(size, func(int64) error { return nil }); err != nil {
		return 0, err
	}
	if err := f.SyncAll(); err != nil {
		return 0, err
	}
	page := make([]byte, 4096)
	var took []time.Duration
	for n := range int64(times) {
		began := time.Now()
		if _, err := f.WriteAt(page, n*int64(len(page))); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[times/2], nil
}
