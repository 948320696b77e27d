package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// compare measures this build beside another one, in turns, for those who change
// something: the front without a journal stands between them as the base.
func (b *bench) compare(other, dir string, delay time.Duration) (err error) {
	if b.dir, err = os.MkdirTemp(dir, "holdfast-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	builds := []struct{ name, path, kind string }{{"front", self, "front"}, {"other", other, "holdfast"}, {"this", self, "holdfast"}}
	if delay == 0 {
		builds = append(builds, struct{ name, path, kind string }{"sqlite", self, "sqlite"})
	}
	var servers []*child
	for _, x := range builds {
		c, err := startOf(x.path, x.kind, b.dir, delay)
		if err != nil {
			return err
		}
		defer c.stop()
		servers = append(servers, c)
		if _, err := closed(c.addr, 64, b.round/2); err != nil {
			return err
		}
	}
	type series struct{ rate, cpu, syncs, bytes, device, drain, p50, p99, alone []float64 }
	all := make([]series, len(builds))
	for range b.rounds {
		for i, c := range servers {
			s := &all[i]
			before, err := c.usage()
			if err != nil {
				return err
			}
			f, err := closed(c.addr, 64, b.round)
			if err != nil {
				return err
			}
			after, err := c.usage()
			if err != nil {
				return err
			}
			n, used := float64(f.requests), after.since(before)
			s.rate, s.cpu = append(s.rate, f.rate()), append(s.cpu, used.cpu.Seconds()*1e6/n)
			s.syncs, s.bytes = append(s.syncs, float64(used.Syncs)/n), append(s.bytes, float64(used.Bytes)/n)
			s.device = append(s.device, float64(used.written)/n)
		}
		for i, c := range servers {
			s := &all[i]
			rate := s.rate[len(s.rate)-1] / 2
			f, err := openLoop(c.addr, 64, rate, b.round)
			if err != nil {
				return err
			}
			s.p50, s.p99 = append(s.p50, f.percentile(0.5).Seconds()*1e3), append(s.p99, f.percentile(0.99).Seconds()*1e3)
			if f, err = openLoop(c.addr, 1, 100, b.round/2); err != nil {
				return err
			}
			s.alone = append(s.alone, f.percentile(0.5).Seconds()*1e3)
		}
		for i := range builds {
			if builds[i].kind != "holdfast" {
				continue
			}
			out, err := exec.Command(builds[i].path, "-drain-once", "-dir", b.dir).Output()
			if err != nil {
				continue // an older build
			}
			rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				return err
			}
			all[i].drain = append(all[i].drain, rate)
		}
	}
	fmt.Printf("sync +%v\n%-8s %9s %8s %8s %8s %8s %8s %8s %8s %9s\n", delay, "", "rate", "cpu us", "syncs", "bytes", "device", "p50 ms", "p99 ms", "alone ms", "drain")
	for i, s := range all {
		fmt.Printf("%-8s %9.0f %8.1f %8.3f %8.0f %8.0f %8.2f %8.2f %8.2f %9.0f\n", builds[i].name, median(s.rate), median(s.cpu), median(s.syncs), median(s.bytes), median(s.device), median(s.p50), median(s.p99), median(s.alone), median(s.drain))
	}
	return nil
}

// drainOne drains once and prints the rate.
func drainOne(dir string) error {
	b := &bench{dir: dir}
	if path := os.Getenv("BENCH_CPUPROFILE"); path != "" {
		f, err := os.Create(path + ".drain")
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	rate, err := b.drainLedger()
	fmt.Println(rate)
	return err
}
