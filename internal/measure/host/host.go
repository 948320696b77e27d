package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/net"

	"holdfast/internal/measure"
)

// reading collects the samples of one moment.
type reading struct {
	job, instance string
	at            time.Time
	samples       []measure.Sample
}

func (r *reading) add(name string, v float64, pairs ...string) {
	pairs = append(pairs, "job", r.job, "instance", r.instance)
	r.samples = append(r.samples, measure.Sample{Labels: measure.Series(name, pairs...), At: r.at, Value: v})
}

var parts = []struct {
	name string
	read func(context.Context, *reading) error
}{
	{"cpu", processors}, {"memory", memory}, {"filesystem", fileSystems},
	{"disk", disks}, {"network", network}, {"load", loads}, {"boot", boot},
}

// Read measures the machine now. The job is "node". An error says what is
// missing from the samples.
func Read(ctx context.Context, instance string, now time.Time) ([]measure.Sample, error) {
	r := &reading{job: "node", instance: instance, at: now}
	var missing []error
	for _, part := range parts {
		if err := part.read(ctx, r); err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", part.name, err))
		}
	}
	r.add("node_time_seconds", float64(now.UnixMilli())/1000)
	return r.samples, errors.Join(missing...)
}

func processors(ctx context.Context, r *reading) error {
	all, err := cpu.TimesWithContext(ctx, true)
	for _, c := range all {
		number := strings.TrimPrefix(c.CPU, "cpu")
		for mode, seconds := range map[string]float64{
			"user": c.User, "nice": c.Nice, "system": c.System, "idle": c.Idle, "iowait": c.Iowait,
			"irq": c.Irq, "softirq": c.Softirq, "steal": c.Steal,
		} {
			r.add("node_cpu_seconds_total", seconds, "cpu", number, "mode", mode)
		}
	}
	return err
}

func memory(ctx context.Context, r *reading) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return err
	}
	for name, bytes := range map[string]uint64{
		"MemTotal": m.Total, "MemFree": m.Free, "MemAvailable": m.Available, "Buffers": m.Buffers,
		"SwapTotal": m.SwapTotal, "SwapFree": m.SwapFree, "Dirty": m.Dirty,
	} {
		r.add("node_memory_"+name+"_bytes", float64(bytes))
	}
	return nil
}

func fileSystems(ctx context.Context, r *reading) error {
	mounts, err := disk.PartitionsWithContext(ctx, false)
	seen := map[string]bool{}
	for _, m := range mounts {
		// What is mounted within a container over a single file, or twice, says
		// nothing new.
		if seen[m.Mountpoint] {
			continue
		}
		seen[m.Mountpoint] = true
		u, e := disk.UsageWithContext(ctx, m.Mountpoint)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		pairs := []string{"device", m.Device, "mountpoint", m.Mountpoint, "fstype", m.Fstype}
		for name, v := range map[string]uint64{
			"size_bytes": u.Total, "free_bytes": u.Total - u.Used, "avail_bytes": u.Free,
			"files": u.InodesTotal, "files_free": u.InodesFree,
		} {
			r.add("node_filesystem_"+name, float64(v), pairs...)
		}
	}
	return err
}

func disks(ctx context.Context, r *reading) error {
	all, err := disk.IOCountersWithContext(ctx)
	for device, d := range all {
		for name, v := range map[string]float64{
			"read_bytes": float64(d.ReadBytes), "written_bytes": float64(d.WriteBytes),
			"reads_completed": float64(d.ReadCount), "writes_completed": float64(d.WriteCount),
			"read_time_seconds": float64(d.ReadTime) / 1000, "write_time_seconds": float64(d.WriteTime) / 1000,
			"io_time_seconds": float64(d.IoTime) / 1000,
		} {
			r.add("node_disk_"+name+"_total", v, "device", device)
		}
	}
	return err
}

func network(ctx context.Context, r *reading) error {
	all, err := net.IOCountersWithContext(ctx, true)
	for _, n := range all {
		for name, v := range map[string]uint64{
			"receive_bytes": n.BytesRecv, "receive_packets": n.PacketsRecv, "receive_errs": n.Errin, "receive_drop": n.Dropin,
			"transmit_bytes": n.BytesSent, "transmit_packets": n.PacketsSent, "transmit_errs": n.Errout, "transmit_drop": n.Dropout,
		} {
			r.add("node_network_"+name+"_total", float64(v), "device", n.Name)
		}
	}
	return err
}

func loads(ctx context.Context, r *reading) error {
	l, err := load.AvgWithContext(ctx)
	if err != nil {
		return err
	}
	r.add("node_load1", l.Load1)
	r.add("node_load5", l.Load5)
	r.add("node_load15", l.Load15)
	return nil
}

func boot(ctx context.Context, r *reading) error {
	at, err := host.BootTimeWithContext(ctx)
	if err != nil {
		return err
	}
	r.add("node_boot_time_seconds", float64(at))
	return nil
}
