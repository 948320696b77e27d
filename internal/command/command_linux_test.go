package command

import (
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func sh(script string, set Spec) *Spec {
	set.Argv = []string{"/bin/sh", "-c", script}
	if set.Time == 0 {
		set.Time = 20 * time.Second
	}
	if set.Output == 0 {
		set.Output = 64 << 10
	}
	return &set
}

func run(t *testing.T, s *Spec) Outcome {
	t.Helper()
	argv, err := s.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Run(t.Context(), argv, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestParametersAreWholeElementsThatFit(t *testing.T) {
	s := Spec{Argv: []string{"/bin/echo", "{unit}", "x{unit}", "--"}, Params: map[string]string{"unit": "shop(-[a-z]+)?"}}
	argv, err := s.Bind(map[string]string{"unit": "shop-web"})
	if err != nil || !slices.Equal(argv, []string{"/bin/echo", "shop-web", "x{unit}", "--"}) {
		t.Fatal(argv, err)
	}
	for name, c := range map[string]struct {
		spec   Spec
		params map[string]string
		detail string
	}{
		"absent":     {s, nil, "command.lacks"},
		"beside":     {s, map[string]string{"unit": "shop", "host": "a"}, "command.unknown"},
		"unfit":      {s, map[string]string{"unit": "shop; rm"}, "command.unfit"},
		"a line":     {s, map[string]string{"unit": "shop\n"}, "command.unfit"},
		"half":       {s, map[string]string{"unit": "xshop"}, "command.unfit"},
		"no pattern": {Spec{Argv: []string{"/bin/echo", "{x}"}}, map[string]string{"x": "a"}, "command.unfit"},
		"a program":  {Spec{Argv: []string{"{x}"}, Params: map[string]string{"x": ".*"}}, map[string]string{"x": "/bin/sh"}, "command.unfit"},
		"no path":    {Spec{Argv: []string{"sh"}}, nil, "command.path"},
	} {
		_, err := c.spec.Bind(c.params)
		if e, ok := err.(*continuity.Error); !ok || e.Code != continuity.CodeInvalid || e.Args["detail_id"] != c.detail {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProgramGetsNothingThatIsNotDeclared(t *testing.T) {
	t.Setenv("HOLDFAST_SECRET_DB", "hidden")
	o := run(t, sh(`env; pwd; echo "in: $(cat)"; ls /proc/self/fd | wc -l; exit 3`, Spec{Env: map[string]string{"SHOP": "a b"}, Folder: "/usr"}))
	if o.Status != 3 || strings.Contains(o.Output, "hidden") || !strings.Contains(o.Output, "SHOP=a b\n") || !strings.Contains(o.Output, "\n/usr\n") || !strings.Contains(o.Output, "in: \n") {
		t.Errorf("%+v", o)
	}
	var names []string
	for line := range strings.Lines(o.Output) {
		if name, _, is := strings.Cut(line, "="); is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if want := []string{"HOLDFAST_ATTEMPT", "LANG", "PATH", "PWD", "SHOP"}; !slices.Equal(names, want) {
		t.Errorf("it has %q", names)
	}
}

func TestBoundsHold(t *testing.T) {
	o := run(t, sh(`ulimit -t; ulimit -n; ulimit -v; ulimit -c; grep processes /proc/self/limits | tr -s ' ' | cut -d' ' -f3`, Spec{CPU: 1500 * time.Millisecond, Files: 32, Memory: 256 << 20, Many: 700}))
	if o.Output != "2\n32\n262144\n0\n700\n" {
		t.Errorf("%q", o.Output)
	}
	if o = run(t, sh(`while :; do :; done`, Spec{CPU: time.Second})); o.Status != -1 || o.Late || !strings.Contains(o.Signal, "CPU") && o.Signal != "killed" {
		t.Errorf("it used the processor without end: %+v", o)
	}
	if o = run(t, sh(`head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null; echo $?`, Spec{Memory: 32 << 20})); !strings.HasSuffix(o.Output, "\n1\n") {
		t.Errorf("it took memory without end: %+v", o)
	}
	file := filepath.Join(t.TempDir(), "big")
	run(t, sh(`head -c 100000 /dev/zero > `+file, Spec{Size: 4096}))
	if info, err := os.Stat(file); err != nil || info.Size() != 4096 {
		t.Errorf("it wrote %v, %v", info, err)
	}
}

// pids writes down a child, its grandchild, and one that left the group and the
// session; then it goes on for long.
const pids = `echo $$ >>%; (sleep 1000 & echo $! >>%; wait) & setsid sh -c 'echo $$ >>%; exec sleep 1000' & trap '' TERM; echo begun; sleep 1000`

func gone(t *testing.T, file string, most int) {
	t.Helper()
	text, err := os.ReadFile(file) // #nosec G304 -- of the test
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(text))
	if len(all) < most {
		t.Fatalf("only %q began", all)
	}
	for _, line := range all {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); err == nil && !zombie(pid) {
			t.Errorf("process %d goes on", pid)
		}
	}
}

func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(text), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}

func TestItIsEndedWithAllThatItStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	o := run(t, sh(strings.ReplaceAll(pids, "%", file), Spec{Time: time.Second}))
	if !o.Late || o.Status != -1 || o.Took > 15*time.Second {
		t.Errorf("%+v", o)
	}
	gone(t, file, 3)
}

func TestItIsEndedWhenNobodyWantsItAnyMore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	s := sh(`echo $$ >>`+file+`; echo begun >`+file+`.fifo; sleep 1000`, Spec{})
	if err := syscall.Mkfifo(file+".fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Outcome, 1)
	go func() {
		o, _ := s.Run(ctx, s.Argv, t.Name())
		done <- o
	}()
	if _, err := os.ReadFile(file + ".fifo"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if o := <-done; !o.Ended || o.Late || o.Signal != "terminated" {
		t.Errorf("%+v", o)
	}
	gone(t, file, 1)
}

func TestWhatItLeavesBehindIsEnded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	o := run(t, sh(`setsid sh -c 'echo $$ >>`+file+`; exec sleep 1000' >/dev/null 2>&1 & while [ ! -s `+file+` ]; do :; done`, Spec{}))
	if o.Status != 0 || o.Left != 1 {
		t.Errorf("%+v", o)
	}
	gone(t, file, 1)
}

// TestNothingGetsAway has a program start one that leaves its group and session, forgets
// its environment and loses its parent: it ends with the program, and with its time.
func TestNothingGetsAway(t *testing.T) {
	for name, last := range map[string]string{"ended": "true", "late": "sleep 1000"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			o := run(t, sh(`(setsid env -i /bin/sh -c 'echo $$ >>`+file+`; trap "" TERM HUP; sleep 1000; sleep 1000' >/dev/null 2>&1 &) ; while [ ! -s `+file+` ]; do :; done; `+last, Spec{Time: 3 * time.Second}))
			if o.Left < 1 || o.Late != (name == "late") {
				t.Errorf("%+v", o)
			}
			gone(t, file, 1)
		})
	}
}

// killed runs a program in a process of its own, which is killed when all that the
// program starts has begun; also is called before, and what it returns after.
func killed(t *testing.T, script, attempt string, also func(holdfast int) (after func())) (file string, began bool) {
	t.Helper()
	if file = os.Getenv("HOLDFAST_TEST_FILE"); file != "" {
		s := sh(strings.ReplaceAll(script, "%", file), Spec{})
		s.Argv[2] = strings.Replace(s.Argv[2], "echo begun;", "echo begun >"+file+".fifo;", 1)
		_, _ = s.Run(t.Context(), s.Argv, attempt)
		return file, true
	}
	file = filepath.Join(t.TempDir(), "pids")
	if err := syscall.Mkfifo(file+".fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$") // #nosec G204 -- this test
	child.Env = append(os.Environ(), "HOLDFAST_TEST_FILE="+file)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(file + ".fifo"); err != nil {
		t.Fatal(err)
	}
	for text, _ := os.ReadFile(file); len(strings.Fields(string(text))) < 3; text, _ = os.ReadFile(file) {
	}
	after := also(child.Process.Pid)
	_ = child.Process.Kill()
	_ = child.Wait()
	after()
	return file, false
}

// TestItDiesWithItsParent kills the process that runs the program: all that it started
// ends at once.
func TestItDiesWithItsParent(t *testing.T) {
	file, began := killed(t, strings.Replace(pids, "setsid sh", "setsid env -i sh", 1), "killed-attempt", func(int) func() { return func() {} })
	if began {
		return
	}
	text, _ := os.ReadFile(file) // #nosec G304 -- of the test
	for late := time.After(10 * time.Second); ; {
		on := false
		for _, line := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(line)
			on = on || err == nil && syscall.Kill(pid, 0) == nil && !zombie(pid)
		}
		if !on {
			return
		}
		select {
		case <-late:
			gone(t, file, 3)
			return
		default:
		}
	}
}

// TestWhatIsLeftIsFound kills what watches over the program as well: what it started is
// found by the attempt's name.
func TestWhatIsLeftIsFound(t *testing.T) {
	file, began := killed(t, pids, "lost-attempt", func(holdfast int) func() {
		watcher := 0
		for _, pid := range below(holdfast) {
			if name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); strings.HasPrefix(string(name), watchName) {
				watcher = pid
			}
		}
		if watcher == 0 || syscall.Kill(watcher, syscall.SIGSTOP) != nil {
			t.Fatal("nobody watches over it")
		}
		return func() { _ = syscall.Kill(watcher, syscall.SIGKILL) }
	})
	if began {
		return
	}
	if Sweep("lost-attempt") == 0 {
		t.Error("nothing was left to be found")
	}
	gone(t, file, 3)
}

func TestOutputIsBoundedAndBearsNoSecret(t *testing.T) {
	const secret = "s3cret/+value"
	coded := base64.StdEncoding.EncodeToString([]byte(secret))
	o := run(t, sh(`printf 'begin %s ' "$KEY"; printf 's3cret'; sleep 0.1; printf '/+value %s\n' '`+coded+`'; head -c 300000 /dev/zero | tr '\0' x; echo " end $KEY"`, Spec{
		Env: map[string]string{"KEY": secret}, Hidden: []string{secret, ""}, Output: 4096,
	}))
	if !o.Cut || len(o.Output) > 4200 || !strings.HasPrefix(o.Output, "begin "+Masked+" "+Masked+" "+Masked+"\n") || !strings.HasSuffix(o.Output, " end "+Masked+"\n") {
		t.Errorf("%d bytes: %.60q ... %q", len(o.Output), o.Output, o.Output[len(o.Output)-40:])
	}
	// Wherever it is cut, no half of a secret is left.
	for most := 512; most < 560; most++ {
		out := newOutput(most, []string{secret})
		for range 100 {
			for _, b := range []byte(secret + "-") {
				_, _ = out.Write([]byte{b})
			}
		}
		if text, _ := out.text(); strings.Contains(text, "s3") || strings.Contains(text, "alue") {
			t.Fatalf("%d: %q", most, text)
		}
	}
}

func TestAUserOfItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		s := sh(`true`, Spec{User: "root"})
		if _, err := s.Run(t.Context(), s.Argv, t.Name()); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error("another user's program by nobody:", err)
		}
		return
	}
	o := run(t, sh(`id -un; id -G`, Spec{User: "nobody"}))
	if name, groups, _ := strings.Cut(strings.TrimSpace(o.Output), "\n"); name != "nobody" || strings.Contains(" "+groups+" ", " 0 ") {
		t.Errorf("%q", o.Output)
	}
	s := sh(`true`, Spec{User: "no-such-user"})
	if _, err := s.Run(t.Context(), s.Argv, t.Name()); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Error("nobody's program:", err)
	}
}

func TestWhatIsNotThereSaysSo(t *testing.T) {
	s := &Spec{Argv: []string{"/no/such/program"}, Time: time.Second, Output: 1000}
	if o := run(t, s); o.Status != 126 || !strings.Contains(o.Output, "not run:") {
		t.Errorf("%+v", o)
	}
}

// TestNoChildrenOfChildren refuses to start this program again where it would not know
// what for.
func TestNoChildrenOfChildren(t *testing.T) {
	prepared = false
	defer func() { prepared = true }()
	s := sh("true", Spec{})
	argv, err := s.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), argv, "never"); err == nil || !strings.Contains(err.Error(), "Main") {
		t.Error(err)
	}
}
