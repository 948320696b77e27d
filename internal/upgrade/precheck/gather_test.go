package precheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
)

// door lets out to networks.
func door(t *testing.T, rules ...string) *outgoing.Guard {
	t.Helper()
	r, err := outgoing.Rules(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return outgoing.New(outgoing.NewPolicy(r...), nil)
}

func TestThisMachine(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken, gone := listener.Addr().String(), free.Addr().String()
	free.Close()
	later := filepath.Join(dir, "to", "come")
	f := Gather(t.Context(), Needs{
		Disk:     []Space{{Path: dir}, {Path: later}, {Path: "/proc/self/fd/0/x"}},
		Programs: []Program{{ID: "sh"}, {ID: "mute"}, {ID: "gone"}},
		Ports:    []string{taken, gone, "192.0.2.1:80"},
	}, Sources{Program: func(ctx context.Context, id string) (string, error) {
		if id == "gone" {
			return "", errors.New("no such program")
		}
		out, err := exec.CommandContext(ctx, "uname", map[string]string{"sh": "-r", "mute": "-o"}[id]).Output()
		return string(out), err
	}, People: []Person{{ID: "chen.jie"}}})

	if f.CPU.Unread != nil || f.CPU.Count != runtime.NumCPU() || f.CPU.Load < 0 {
		t.Errorf("%+v", f.CPU)
	}
	if f.Memory.Unread != nil || f.Memory.Total <= f.Memory.Available || f.Memory.Available < 1<<20 {
		t.Errorf("%+v", f.Memory)
	}
	said, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil || f.Kernel.Version != strings.TrimSpace(string(said)) || f.Kernel.System != "linux" {
		t.Errorf("%+v, it is %s, %v", f.Kernel, said, err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	total := int64(fs.Blocks) * fs.Bsize
	for i, mount := range []string{dir, dir} {
		if d := f.Disks[i]; d.Unread != nil || d.Mount != mount || d.Total != total || d.Free <= 0 || d.Free > total {
			t.Errorf("%+v, want %s with %d bytes", d, mount, total)
		}
	}
	if d := f.Disks[2]; d.Unread == nil {
		t.Errorf("%+v", d)
	}
	kernel := ParseVersion(f.Kernel.Version).String()
	for i, want := range []string{kernel, "", ""} {
		if p := f.Programs[i]; p.Version != want || (p.Unread == nil) != (want != "") {
			t.Errorf("%+v, want %q", p, want)
		}
	}
	if p := f.Ports[0]; p.Free || p.PID != int32(os.Getpid()) || p.Holder == "" || p.Unread != nil {
		t.Errorf("%+v, this is process %d", p, os.Getpid())
	}
	if p := f.Ports[1]; !p.Free || p.Unread != nil {
		t.Errorf("%+v", p)
	}
	if p := f.Ports[2]; p.Free || p.Unread == nil || p.Unread.Code != "upgrade.precheck.port-elsewhere" {
		t.Errorf("%+v", p)
	}
	if len(f.People) != 1 || f.Database != nil || f.At.IsZero() {
		t.Errorf("%+v", f)
	}
}

func TestNobodyHandsInHowToAsk(t *testing.T) {
	n := Needs{Programs: []Program{{ID: "sh"}}, Peers: []Peer{{Address: "127.0.0.1:1"}}}
	for _, finding := range Judge(n, Gather(t.Context(), n, Sources{})) {
		if finding.ID == "load" {
			continue // the machine is busy with tests
		}
		if finding.Level != continuity.FindingBlock || finding.Reason.Code != "upgrade.precheck.not-looked" {
			t.Errorf("%+v", finding)
		}
	}
}

// apart is set where the test runs in a network namespace of its own.
const apart = "HOLDFAST_TEST_APART"

const (
	nearAt = "10.78.0.1"
	farAt  = "10.78.0.2"
)

// way is a cable to another machine's network.
type way struct {
	t      *testing.T
	holder *exec.Cmd // has that network
}

func lay(t *testing.T) *way {
	t.Helper()
	w := &way{t: t, holder: exec.Command("sleep", "infinity")}
	runtime.LockOSThread() // the holder ends with the thread that started it
	t.Cleanup(runtime.UnlockOSThread)
	w.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := w.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.holder.Process.Kill() // fails only where it has ended
		_ = w.holder.Wait()
	})
	w.run("ip", "link", "set", "lo", "up")
	w.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
	w.run("ip", "link", "set", "far", "netns", strconv.Itoa(w.holder.Process.Pid))
	w.run("ip", "addr", "add", nearAt+"/24", "dev", "near")
	w.far("ip", "addr", "add", farAt+"/24", "dev", "far")
	w.run("ip", "link", "set", "near", "up")
	w.far("ip", "link", "set", "far", "up")
	return w
}

func (w *way) run(command ...string) {
	w.t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

func (w *way) far(command ...string) {
	w.t.Helper()
	w.run(append([]string{"nsenter", "--net=/proc/" + strconv.Itoa(w.holder.Process.Pid) + "/ns/net", "--"}, command...)...)
}

// narrow has the way take so little at a time, keep waiting what waits no longer than
// that, and drop the rest.
func (w *way) narrow(rate, longest string) {
	w.run("tc", "qdisc", "replace", "dev", "near", "root", "tbf", "rate", rate, "burst", "300b", "latency", longest)
}

// TestNetworks measures over a cable that is good, narrow, narrower and out.
func TestNetworks(t *testing.T) {
	if os.Getenv(apart) == "" {
		runApart(t)
		return
	}
	w := lay(t)
	service := listenFar(t, w)
	guard := door(t, "10.78.0.0/24")
	look := func() (PeerFact, []continuity.UpgradeFinding) {
		n := Needs{Peers: []Peer{{Address: service, RTT: 100e6, Loss: ptr(0.02)}}}
		f := Gather(t.Context(), n, Sources{Network: guard})
		return f.Peers[0], Judge(n, f)
	}
	expect := func(name string, all []continuity.UpgradeFinding, code string) {
		t.Helper()
		for _, f := range all { // the machine may be busy, too
			if f.ID != "peer:"+service {
				continue
			}
			if got := strings.TrimPrefix(f.Reason.Code, "upgrade.precheck."); got != code {
				t.Errorf("%s: %s %v, want %s", name, got, f.Reason.Args, code)
			}
			return
		}
		t.Errorf("%s: nothing is said of the way", name)
	}

	p, found := look()
	if p.By != "ping" || p.Sent < echoes/2 || p.Received != p.Sent || p.RTT <= 0 || p.Worst < p.RTT {
		t.Errorf("a good way: %+v", p)
	}
	expect("a good way", found, "peer")

	w.narrow("30kbit", "5s") // 100 echoes a second take 53
	p, found = look()
	if p.RTT < 100e6 || p.Worst < p.RTT {
		t.Errorf("a narrow way: %+v", p)
	}
	expect("a narrow way", found, "peer-slow")

	w.narrow("20kbit", "50ms")
	p, found = look()
	if p.Received >= p.Sent*9/10 || p.Received == 0 {
		t.Errorf("a narrower way: %+v", p)
	}
	expect("a narrower way", found, "peer-lossy")
	w.run("tc", "qdisc", "del", "dev", "near", "root")

	// No echoes are answered: connections tell.
	w.far("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
	p, found = look()
	if p.By != "tcp" || p.Sent != connects || p.Received != connects || p.RTT <= 0 {
		t.Errorf("no echoes: %+v", p)
	}
	expect("no echoes", found, "peer")

	closed := Gather(t.Context(), Needs{Peers: []Peer{{Address: farAt + ":9"}}}, Sources{Network: guard}).Peers[0]
	if closed.Unread == nil || closed.Unread.Code != "upgrade.precheck.peer-refused" {
		t.Errorf("nothing listens: %+v", closed)
	}
	hindered := Gather(t.Context(), Needs{Peers: []Peer{{Address: service}}}, Sources{Network: door(t, "10.79.0.0/24")}).Peers[0]
	if hindered.Unread == nil || hindered.Unread.Code != "upgrade.precheck.peer-outgoing" {
		t.Errorf("no rule: %+v", hindered)
	}
	// A rule of a port lets out no echoes.
	if p := Gather(t.Context(), Needs{Peers: []Peer{{Address: service}}}, Sources{Network: door(t, service)}).Peers[0]; p.By != "tcp" || p.Received != connects {
		t.Errorf("a rule of a port: %+v", p)
	}

	w.far("ip", "link", "set", "far", "down")
	p, found = look()
	if p.Unread == nil {
		t.Errorf("no way: %+v", p)
	}
	expect("no way", found, "peer-silent")
}

// listenFar has this test program listen on the other side.
func listenFar(t *testing.T, w *way) string {
	t.Helper()
	cmd := exec.Command("nsenter", "--net=/proc/"+strconv.Itoa(w.holder.Process.Pid)+"/ns/net", "--", os.Args[0], "-test.run=^TestListener$")
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_LISTEN="+farAt+":0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only where it has ended
		_ = cmd.Wait()
	})
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		t.Fatal(err)
	}
	return address
}

// TestListener is no test: it is the other side of TestNetworks, in a process of its own.
func TestListener(t *testing.T) {
	at := os.Getenv("HOLDFAST_TEST_LISTEN")
	if at == "" {
		return
	}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
}

// runApart runs this test again, in a network namespace of its own.
func runApart(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
