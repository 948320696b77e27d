package main

import (
	"fmt"
	"slices"
	"time"
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
	var flushes, bytes, device []float64
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
				bytes = append(bytes, float64(used.Bytes)/n)
				device = append(device, float64(used.written)/n)
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
	b.row(name+": bytes written per accepted 1 KB, zero-fill counted", fmt.Sprintf("%.0f by the journal, %.0f by the device", median(bytes), median(device)), "<= 1536")
	return b.latencies(servers, delay, median(rates["holdfast"]))
}

// latencies come from an open loop, at half of what the slowest bears.
func (b *bench) latencies(servers map[string]*child, delay time.Duration, most float64) error {
	var busy, alone, quick []float64
	rate := most / 2
	for range b.rounds {
		f, err := openLoop(servers["holdfast"].addr, 64, rate, b.round)
		if err != nil {
			return err
		}
		busy = append(busy, f.percentile(0.99).Seconds()*1e3)
		one, err := openLoop(servers["holdfast"].addr, 1, 100, b.round)
		if err != nil {
			return err
		}
		alone = append(alone, one.percentile(0.5).Seconds()*1e3)
		base, err := openLoop(servers["front"].addr, 1, 100, b.round)
		if err != nil {
			return err
		}
		quick = append(quick, base.percentile(0.5).Seconds()*1e3)
	}
	b.row(fmt.Sprintf("accept p99, open loop at %.0f/s, sync +%v", rate, delay), fmt.Sprintf("%.2f ms", median(busy)), "<= 1.5 ms; +1ms: <= 2.5 ms")
	b.row(fmt.Sprintf("accept alone, 1 connection, sync +%v: median", delay), fmt.Sprintf("%.2f ms; the same front without a journal %.2f ms", median(alone), median(quick)), "+1ms: <= 1.2 ms more")
	return nil
}
