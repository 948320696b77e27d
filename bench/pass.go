package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// column is one proxy with what its rounds showed.
type column struct {
	name, version string
	*passer
	failed                   error // why it takes no part (any more)
	rate, cpu, p99           []float64
	rates, cpus, percentiles []float64 // as shares of nginx's in the neighbouring round
	onRate, onCPU            []float64 // Holdfast's second column, as shares of the first
}

// passRows measure passing requests on, beside nginx and others: nginx, holdfast
// without and with hold, nginx, haproxy, nginx, ... All have the same upstream.
func (b *bench) passRows() error {
	if err := os.Chmod(b.dir, 0o711); err != nil { // proxies that are not root get to theirs
		return err
	}
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	back, err := start("upstream", b.dir, 0)
	if err != nil {
		return err
	}
	defer back.stop()
	off, err := b.startHoldfast(holdOff, back.addr)
	if err != nil {
		return err
	}
	defer off.stop()
	on, err := b.startHoldfast(holdOn, back.addr)
	if err != nil {
		return err
	}
	defer on.stop()
	held, err := on.park(parked)
	if err != nil {
		return fmt.Errorf("parking: %w", err)
	}
	defer on.scraped()()

	nginx := b.column(proxy{"nginx", startNginx}, back.addr)
	first, second := &column{name: "Holdfast, hold off", passer: &off.passer}, &column{name: "Holdfast, hold on", passer: &on.passer}
	others := []*column{first, second}
	for _, p := range proxies {
		others = append(others, b.column(p, back.addr))
	}
	all := append([]*column{nginx}, others...)
	defer func() {
		for _, c := range all[3:] {
			c.end()
		}
		nginx.end()
	}()
	for _, c := range all {
		c.take(func() error { _, err := closed(c.addr, clients, b.round/2); return err }) // warm
	}

	for range b.rounds {
		b.turn(nginx, others, (*column).busy, func(c *column) {
			c.rates = append(c.rates, last(c.rate)/last(nginx.rate))
			c.cpus = append(c.cpus, last(c.cpu)/last(nginx.cpu))
		})
		if first.failed == nil && second.failed == nil {
			second.onRate = append(second.onRate, last(second.rate)/last(first.rate))
			second.onCPU = append(second.onCPU, last(second.cpu)/last(first.cpu))
		}
	}
	best := 0.0
	for _, c := range all {
		if c != first && c != second {
			best = max(best, median(c.rate))
		}
	}
	rate := best * 0.7
	var able []*column
	for _, c := range others {
		if median(c.rate) > rate*1.02 {
			able = append(able, c)
		}
	}
	for range b.rounds {
		b.turn(nginx, able, func(c *column, d time.Duration) error { return c.steady(rate, d) }, func(c *column) {
			c.percentiles = append(c.percentiles, last(c.p99)/last(nginx.p99))
		})
	}
	objects, bytes, err := off.allocations(100_000)
	if err != nil {
		return err
	}
	b.passTable(nginx, others, rate, held, fmt.Sprintf("%.2f allocations and %.0f bytes a request over 100,000 of them, the opening of connections left out", objects, bytes))
	return nil
}

func last(v []float64) float64 { return v[len(v)-1] }

func (b *bench) column(p proxy, upstream string) *column {
	c := &column{name: p.name}
	dir, err := os.MkdirTemp(b.dir, "proxy-")
	if err != nil {
		c.failed = err
		return c
	}
	if c.passer, c.failed = p.start(dir, upstream); c.failed == nil {
		c.version = c.passer.version
	}
	return c
}

func (c *column) end() {
	if c.passer != nil {
		c.stop()
	}
}

// take does something with a proxy that still takes part.
func (c *column) take(what func() error) {
	if c.failed == nil {
		c.failed = what()
	}
}

// turn gives each of some proxies a round, after one of nginx's; Holdfast's two
// columns share theirs.
func (b *bench) turn(nginx *column, others []*column, round func(*column, time.Duration) error, compare func(*column)) {
	for i, c := range others {
		if c.failed != nil {
			continue
		}
		if shared := i > 0 && strings.HasPrefix(c.name, "Holdfast"); !shared {
			nginx.take(func() error { return round(nginx, b.round) })
		}
		if c.take(func() error { return round(c, b.round) }); c.failed == nil && nginx.failed == nil {
			compare(c)
		}
	}
}

func (c *column) busy(d time.Duration) error {
	before, err := cpuOf(c.pid)
	if err != nil {
		return err
	}
	f, err := closed(c.addr, clients, d)
	if err != nil {
		return err
	}
	after, err := cpuOf(c.pid)
	if err != nil {
		return err
	}
	c.rate, c.cpu = append(c.rate, f.rate()), append(c.cpu, (after-before).Seconds()*1e6/float64(f.requests))
	return nil
}

func (c *column) steady(rate float64, d time.Duration) error {
	f, err := openLoop(c.addr, clients, rate, d)
	if err != nil {
		return err
	}
	c.p99 = append(c.p99, f.percentile(0.99).Seconds()*1e3)
	return nil
}

func (b *bench) passTable(nginx *column, others []*column, rate float64, held, allocated string) {
	const what = "pass-through, 1 KB POST, 200 B answer, 64 connections: "
	if nginx.failed != nil {
		b.row(what+"nginx", "not measured, so nothing has a base: "+oneLine(nginx.failed), "")
	} else {
		b.row(what+"nginx, 2 workers", fmt.Sprintf("%.0f/s, CPU %.2f us a request, p99 %.2f ms at %.0f/s (%s)", median(nginx.rate), median(nginx.cpu), median(nginx.p99), rate, nginx.version), "the base")
	}
	for _, c := range others {
		goal := ""
		if strings.HasPrefix(c.name, "Holdfast") {
			goal = "rate >= 1, CPU <= 0.9, p99 <= 0.8"
		}
		if c.failed != nil {
			b.row(what+c.name, "not measured: "+oneLine(c.failed), goal)
			continue
		}
		late := "not measured, it is slower than that"
		if len(c.p99) > 0 {
			late = fmt.Sprintf("%.2f (%.2f ms)", median(c.percentiles), median(c.p99))
		}
		version := ""
		if c.version != "" {
			version = "; " + c.version
		}
		b.row(what+c.name, fmt.Sprintf("rate %.2f (%.0f/s), CPU %.2f (%.2f us), p99 %s%s", median(c.rates), median(c.rate), median(c.cpus), median(c.cpu), late, version), goal)
	}
	if second := others[1]; len(second.onCPU) > 0 {
		b.row(what+"hold on against hold off", fmt.Sprintf("CPU %.2f, rate %.2f (body key, Idempotency-Key, metrics scraped each second, %s)", median(second.onCPU), median(second.onRate), held), "CPU <= 1.15")
	}
	b.row(what+"memory allocated by Holdfast, hold off", allocated, "0")
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
