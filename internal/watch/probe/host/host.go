// Package host holds the machine that a node runs on to limits: how busy its
// processors are, how full memory and file systems, how much its network bears.
// The figures behind it are measured by package measure/host; a look at one of
// them needs no database.
package host

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"

	"holdfast/internal/watch/probe"
)

// reading is one figure, and of which device.
type reading struct {
	device string
	value  float64
}

// counter is what only grows: a figure is made of two of them.
type counter struct{ value, whole float64 }

// looker reads one part of the machine.
type looker struct {
	spec probe.Spec

	mu     sync.Mutex
	before map[string]counter
	at     time.Time
}

// firstLook is over how long a figure is measured that needs two looks, when
// there was none before.
const firstLook = time.Second

// New reads Target (cpu, memory, disk, load or network), Device and Over. Without
// a device the worst counts. cpu, memory and disk are shares of 1, load is that
// of five minutes for each processor, network is bytes a second in both
// directions.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	l := &looker{spec: spec}
	read, ok := map[string]func(context.Context) ([]reading, error){
		"cpu": l.processors, "memory": memory, "disk": disks, "load": loads, "network": l.network,
	}[spec.Target]
	if !ok || spec.Over <= 0 {
		return nil, fmt.Errorf("watch: check %s: no part of the machine, or no limit", spec.ID)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome {
		all, err := read(ctx)
		if ctx.Err() != nil {
			return probe.Unknown("watch.ended")
		}
		if spec.Device != "" {
			all = slices.DeleteFunc(all, func(r reading) bool { return r.device != spec.Device })
		}
		if len(all) == 0 {
			if err != nil || spec.Device == "" {
				return probe.Unknown("watch.host-unread")
			}
			return probe.Unknown("watch.host-device", "device", spec.Device)
		}
		return judge(spec, all)
	}), nil
}

func judge(spec probe.Spec, all []reading) probe.Outcome {
	worst := slices.MaxFunc(all, func(a, b reading) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	o := probe.Outcome{}
	if worst.value > spec.Over {
		value, limit := written(spec.Target, worst.value), written(spec.Target, spec.Over)
		if worst.device == "" {
			o = probe.Degraded("watch.host-over", "value", value, "limit", limit)
		} else {
			o = probe.Degraded("watch.host-over-device", "device", worst.device, "value", value, "limit", limit)
		}
	}
	o.Values = map[string]float64{spec.Target: worst.value}
	return o
}

// written is a figure as people read it.
func written(part string, v float64) string {
	switch part {
	case "cpu", "memory", "disk":
		return fmt.Sprintf("%.1f %%", 100*v)
	case "network":
		return fmt.Sprintf("%.3g MB/s", v/1e6)
	}
	return fmt.Sprintf("%.2f", v)
}

func memory(ctx context.Context) ([]reading, error) {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil || m.Total == 0 {
		return nil, err
	}
	return []reading{{"", 1 - float64(m.Available)/float64(m.Total)}}, nil
}

func loads(ctx context.Context) ([]reading, error) {
	l, err := load.AvgWithContext(ctx)
	if err != nil {
		return nil, err
	}
	return []reading{{"", l.Load5 / float64(runtime.NumCPU())}}, nil
}

// disks counts what is full as df does: of what who is not root can have; or the
// files that a file system can still name.
func disks(ctx context.Context) ([]reading, error) {
	mounts, err := disk.PartitionsWithContext(ctx, false)
	var all []reading
	for _, m := range mounts {
		u, e := disk.UsageWithContext(ctx, m.Mountpoint)
		if e != nil || u.Used+u.Free == 0 || slices.Contains(m.Opts, "ro") {
			continue // what can't be written to can't fill up
		}
		full := float64(u.Used) / float64(u.Used+u.Free)
		all = append(all, reading{m.Mountpoint, max(full, u.InodesUsedPercent/100)})
	}
	return all, err
}

func (l *looker) processors(ctx context.Context) ([]reading, error) {
	rates, _, err := l.between(ctx, func(ctx context.Context) (map[string]counter, error) {
		all, err := cpu.TimesWithContext(ctx, false)
		now := map[string]counter{}
		for _, c := range all {
			idle := c.Idle + c.Iowait
			busy := c.User + c.Nice + c.System + c.Irq + c.Softirq + c.Steal
			now[""] = counter{busy, busy + idle}
		}
		return now, err
	})
	var all []reading
	for _, c := range rates {
		if c.whole > 0 {
			all = append(all, reading{"", min(max(c.value/c.whole, 0), 1)})
		}
	}
	return all, err
}

func (l *looker) network(ctx context.Context) ([]reading, error) {
	rates, took, err := l.between(ctx, func(ctx context.Context) (map[string]counter, error) {
		all, err := net.IOCountersWithContext(ctx, true)
		now := map[string]counter{}
		for _, n := range all {
			if l.spec.Device != "" || n.Name != "lo" && !strings.HasPrefix(n.Name, "veth") {
				now[n.Name] = counter{value: float64(n.BytesRecv) + float64(n.BytesSent)}
			}
		}
		return now, err
	})
	var all []reading
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		all = append(all, reading{name, max(rates[name].value, 0) / took.Seconds()})
	}
	return all, err
}

// between is by how much counters grew since the look before.
func (l *looker) between(ctx context.Context, read func(context.Context) (map[string]counter, error)) (grown map[string]counter, took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.before == nil {
		if l.before, err = read(ctx); err != nil {
			l.before = nil
			return nil, 0, err
		}
		l.at = time.Now()
	}
	if wait := firstLook - time.Since(l.at); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	now, err := read(ctx)
	if err != nil {
		return nil, 0, err
	}
	took = time.Since(l.at)
	grown = map[string]counter{}
	for name, c := range now {
		if b, ok := l.before[name]; ok {
			grown[name] = counter{c.value - b.value, c.whole - b.whole}
		}
	}
	l.before, l.at = now, time.Now()
	return grown, took, nil
}
