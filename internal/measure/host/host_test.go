package host_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/measure"
	"holdfast/internal/measure/host"
)

// TestReadsThisMachine compares with what the kernel says in its own files.
func TestReadsThisMachine(t *testing.T) {
	now := time.Now()
	samples, err := host.Read(t.Context(), "here", now)
	if err != nil {
		t.Log(err) // a container may hide a part
	}
	db, err := measure.Open(measure.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); s.Late+s.Invalid > 0 {
		t.Errorf("series were measured twice: %+v", s)
	}
	value := func(expr string) float64 {
		t.Helper()
		v, err := db.Query(t.Context(), expr, now)
		if err != nil || len(v) != 1 {
			t.Errorf("%s: %v, %v; want one value", expr, v, err)
			return 0
		}
		return v[0].Value
	}
	about := func(expr string, want, off float64) {
		t.Helper()
		if got := value(expr); got < want-off || got > want+off {
			t.Errorf("%s: %g, want %g", expr, got, want)
		}
	}
	field := func(file, line string, n int) float64 {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(text)) {
			if f := strings.Fields(l); len(f) > n && strings.HasPrefix(strings.TrimSpace(l), line) {
				v, err := strconv.ParseFloat(f[n], 64)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Fatalf("%s has no line %s", file, line)
		return 0
	}
	about(`node_memory_MemTotal_bytes{job="node",instance="here"}`, 1024*field("/proc/meminfo", "MemTotal:", 1), 0)
	about(`node_memory_SwapTotal_bytes`, 1024*field("/proc/meminfo", "SwapTotal:", 1), 0)
	about(`sum(node_cpu_seconds_total{mode="idle"})`, field("/proc/stat", "cpu ", 4)/100, 10)
	about(`sum(node_cpu_seconds_total{mode="user"})`, field("/proc/stat", "cpu ", 1)/100, 10)
	about(`node_boot_time_seconds`, field("/proc/stat", "btime", 1), 2)
	about(`node_load15`, field("/proc/loadavg", "", 2), 0.5)
	about(`node_network_receive_packets_total{device="lo"}`, field("/proc/net/dev", "lo:", 2), 1e5)
	about(`node_time_seconds`, float64(now.Unix()), 1)
	for name, per := range map[string]string{
		"node_filesystem_avail_bytes":     "mountpoint",
		"node_disk_written_bytes_total":   "device",
		"node_network_errs_total":         "",
		"node_network_receive_errs_total": "device",
	} {
		v, err := db.Query(t.Context(), name, now)
		if err != nil || (len(v) > 0) != (per != "") {
			t.Errorf("%s: %v, %v", name, v, err)
		}
		for _, s := range v {
			if s.Labels.Get(per) == "" {
				t.Errorf("%s without %s", s.Labels, per)
			}
		}
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs("/", &st); err != nil {
		t.Fatal(err)
	}
	if v, err := db.Query(t.Context(), `node_filesystem_size_bytes{mountpoint="/"}`, now); err == nil && len(v) == 1 {
		about(`node_filesystem_size_bytes{mountpoint="/"}`, float64(st.Blocks)*float64(st.Bsize), 0)
		about(`node_filesystem_free_bytes{mountpoint="/"}`, float64(st.Bfree)*float64(st.Bsize), 1<<30)
		about(`node_filesystem_avail_bytes{mountpoint="/"}`, float64(st.Bavail)*float64(st.Bsize), 1<<30)
	}
}
