package http1_test

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// frontEnv makes the test binary a relay of the named kind instead, so that
// its CPU can be told from that of clients and upstream. Its value is the kind
// and the upstream's address.
const frontEnv = "HTTP1_BENCH_FRONT"

func TestMain(m *testing.M) {
	if kind, back, ok := strings.Cut(os.Getenv(frontEnv), "@"); ok {
		testing.Benchmark(func(b *testing.B) {
			if b.N > 1 {
				return
			}
			for _, f := range benchFronts {
				if f.name == kind {
					fmt.Println(f.front(b, back))
				}
			}
			bufio.NewReader(os.Stdin).ReadByte() // until the parent goes
			os.Exit(0)
		})
	}
	code := m.Run()
	if b := flag.Lookup("test.bench"); code == 0 && b.Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		fmt.Println("again, with a goroutine for each connection")
		loops = -1
		code = m.Run()
	}
	os.Exit(code)
}

// BenchmarkPassThroughPeers compares processes: ours, net/http's ReverseProxy
// and, where it is installed, nginx. In short interleaved rounds, as medians:
// CPU microseconds a request of each process, and rates over the last peer's.
func BenchmarkPassThroughPeers(b *testing.B) {
	back := benchUpstream(b)
	type peer struct {
		name  string
		fleet *fleet
		pids  []int
		cpu   []float64
		rate  []float64
	}
	var peers []*peer
	for _, f := range benchFronts[1:] {
		address, pid := childFront(b, f.name, back)
		peers = append(peers, &peer{name: f.name, fleet: newFleet(b, address), pids: []int{pid}})
	}
	if path, err := exec.LookPath("nginx"); err == nil {
		address, master := nginxFront(b, path, back)
		p := &peer{name: "nginx", fleet: newFleet(b, address)}
		p.pids = children(b, master) // it answered, so the workers are there
		peers = append(peers, p)
	}
	const round = 3000
	for _, p := range peers {
		p.fleet.run(b, round)
	}
	b.ResetTimer()
	for range b.N {
		took := make([]float64, len(peers))
		for i, p := range peers {
			began, before := time.Now(), cpuOf(b, p.pids)
			p.fleet.run(b, round)
			took[i] = time.Since(began).Seconds()
			p.cpu = append(p.cpu, (cpuOf(b, p.pids)-before).Seconds()*1e6/round)
		}
		for i, p := range peers {
			p.rate = append(p.rate, took[len(peers)-1]/took[i])
		}
	}
	for _, p := range peers {
		b.ReportMetric(median(p.cpu), p.name+"-cpu-us")
		b.ReportMetric(median(p.rate), p.name+"-rate")
	}
	b.ReportMetric(0, "ns/op")
}

func childFront(b *testing.B, kind, back string) (address string, pid int) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), frontEnv+"="+kind+"@"+back)
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); c.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), c.Process.Pid
}

// nginxFront starts nginx as a plain relay with pooled upstream connections, a
// worker per core. It inherits a listener that is open already, as it does when
// its binary is replaced, so nobody has to wait for it.
func nginxFront(b *testing.B, path, back string) (address string, pid int) {
	dir := b.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	address = l.Addr().String()
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; worker_processes auto; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream back { server %[2]s; keepalive 512; keepalive_requests 1000000000; }
  server { listen %[3]s; location / { proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } }
}`, dir, back, address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	c := exec.Command(path, "-p", dir, "-c", config)
	c.ExtraFiles = []*os.File{file} // descriptor 3
	c.Env = append(os.Environ(), "NGINX=3;")
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Process.Signal(syscall.SIGTERM); c.Wait() })
	return address, c.Process.Pid
}

func children(b *testing.B, pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		b.Fatal(err)
	}
	var pids []int
	for _, word := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			b.Fatal(err)
		}
		pids = append(pids, child)
	}
	return pids
}

// cpuOf sums the time that all threads of the processes have run.
func cpuOf(b *testing.B, pids []int) time.Duration {
	var total time.Duration
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(threads) == 0 {
			b.Fatalf("no threads of %d: %v", pid, err)
		}
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // the thread ended
			}
			ran, _, _ := strings.Cut(string(text), " ")
			ns, _ := strconv.ParseInt(ran, 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}
