package logs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// place is a folder with a log, and a follower that is polled by hand.
type place struct {
	*testing.T
	dir, state string
	options    Options
	f          *follower
	now        time.Time
	written    int64
	copies     int
}

func newPlace(t *testing.T, options Options) *place {
	t.Helper()
	p := &place{T: t, dir: t.TempDir(), state: t.TempDir(), options: options, now: time.Now()}
	p.options.ID = "app/log"
	p.options.Glob = filepath.Join(p.dir, "app.log")
	p.start()
	return p
}

func (p *place) start() {
	p.Helper()
	f, err := newFollower(p.options, p.state)
	if err != nil {
		p.Fatal(err)
	}
	p.f = f
	p.poll()
}

// poll lets some time pass first, so that what is complete is counted.
func (p *place) poll() {
	p.now = p.now.Add(2 * time.Second)
	p.f.poll(p.now)
	p.now = p.now.Add(2 * time.Second)
	p.f.poll(p.now)
}

// restart ends as a process that is killed does: with what was saved last.
func (p *place) restart() {
	p.Helper()
	for _, t := range p.f.tails {
		_ = t.file.Close()
	}
	p.start()
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(n int) {
	p.Helper()
	var text strings.Builder
	for range n {
		p.written++
		fmt.Fprintf(&text, "2026-11-22 08:00:00 INFO order %d accepted\n", p.written)
	}
	p.put(text.String())
}

func (p *place) put(text string) {
	p.Helper()
	f, err := os.OpenFile(p.path("app.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err != nil {
		p.Fatal(err)
	}
	_ = f.Close()
}

func (p *place) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *place) rename() {
	p.Helper()
	for i := 8; i > 0; i-- {
		if _, err := os.Stat(p.path(fmt.Sprintf("app.log.%d", i))); err == nil {
			p.must(os.Rename(p.path(fmt.Sprintf("app.log.%d", i)), p.path(fmt.Sprintf("app.log.%d", i+1))))
		}
	}
	if _, err := os.Stat(p.path("app.log")); err == nil {
		p.must(os.Rename(p.path("app.log"), p.path("app.log.1")))
	}
}

// see polls if the file was never seen: one that comes and goes in between is
// nobody's.
func (p *place) see() {
	info, err := os.Stat(p.path("app.log"))
	if err == nil && p.f.tails[fileID(identity(info))] == nil {
		p.poll()
	}
}

func (p *place) copyTruncate() {
	p.Helper()
	text, err := os.ReadFile(p.path("app.log"))
	if err != nil {
		return
	}
	p.copies++
	p.must(os.WriteFile(p.path(fmt.Sprintf("app.log.copy%d", p.copies)), text, 0o600))
	p.must(os.Truncate(p.path("app.log"), 0))
}

func (p *place) counted(what string) {
	p.Helper()
	if got := p.f.figures(p.now, 0).Counts; got.Records != p.written || got.Lines != p.written {
		p.Errorf("%s: %d records and %d lines of %d: %+v", what, got.Records, got.Lines, p.written, got)
	}
}

func TestRotation(t *testing.T) {
	p := newPlace(t, Options{})
	p.write(3)
	p.poll()
	p.counted("appended")

	p.rename()
	p.write(2)
	p.poll()
	p.counted("renamed")

	p.write(2)
	p.rename()
	p.write(1)
	p.poll()
	p.counted("written, renamed, written")

	p.write(5)
	p.poll()
	p.copyTruncate()
	p.write(2)
	p.poll()
	p.counted("copied and truncated")
	if c := p.f.figures(p.now, 0).Counts; c.Truncated != 1 || c.Rotated != 2 {
		t.Errorf("%+v", c)
	}

	p.must(os.Remove(p.path("app.log")))
	p.poll()
	if n := p.f.figures(p.now, 0).Files; n != 0 {
		t.Errorf("%d files", n)
	}
	p.write(4)
	p.poll()
	p.counted("gone and back")
}

// TestAProcessThatWasAway has the files rotated while nobody looks.
func TestAProcessThatWasAway(t *testing.T) {
	p := newPlace(t, Options{})
	p.write(10)
	p.poll()
	p.now = p.now.Add(saveEvery)
	p.write(1)
	p.poll()
	p.write(7) // after what was saved last

	p.restart()
	p.poll()
	p.counted("restarted")

	p.now = p.now.Add(saveEvery)
	p.write(3)
	p.poll()
	p.write(5)
	p.rename()
	p.write(6)
	p.restart()
	p.counted("renamed meanwhile")

	p.now = p.now.Add(saveEvery)
	p.write(1)
	p.poll()
	p.now = p.now.Add(saveEvery)
	p.poll()
	p.must(os.Truncate(p.path("app.log"), 0))
	p.write(2)
	p.restart()
	p.poll()
	p.counted("truncated meanwhile")
}

// TestAnyOrder writes, rotates, looks and restarts in any order; each line has
// to count once.
func TestAnyOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		p := newPlace(t, Options{Glob: "x"})
		if r.IntN(2) == 0 {
			p.options.Glob += "*" // old files are followed too, and never read twice
			p.restart()
		}
		var did []string
		for range 20 {
			switch n := r.IntN(10); {
			case n < 4:
				p.write(r.IntN(30))
				did = append(did, "write")
			case n < 6:
				p.poll()
				did = append(did, "poll")
			case n < 7:
				p.see()
				p.rename()
				did = append(did, "rename")
			case n < 8:
				p.poll() // what is written between copying and truncating is lost, whoever reads
				p.copyTruncate()
				p.poll()
				did = append(did, "truncate")
			default:
				p.now = p.now.Add(saveEvery)
				p.f.dirty = true
				p.f.save(p.now)
				p.write(r.IntN(3))
				p.restart()
				did = append(did, "restart")
			}
		}
		p.poll()
		if p.counted(strings.Join(did, " ")); t.Failed() {
			return
		}
	}
}

// TestLogrotate has the real one rotate, in both ways.
func TestLogrotate(t *testing.T) {
	program, err := exec.LookPath("logrotate")
	if err != nil {
		program = "/usr/sbin/logrotate"
	}
	for _, way := range []string{"create", "copytruncate"} {
		p := newPlace(t, Options{})
		conf := filepath.Join(t.TempDir(), "conf")
		p.must(os.WriteFile(conf, []byte(p.path("app.log")+" {\n rotate 3\n size 1\n compress\n "+way+"\n}\n"), 0o600))
		p.must(os.Chmod(p.dir, 0o700)) // #nosec G302 -- a folder
		for range 4 {
			p.write(5)
			p.poll()
			out, err := exec.Command(program, "-f", "-s", conf+".state", conf).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			p.write(2)
			p.poll()
			p.counted(way)
		}
		if packed, _ := filepath.Glob(p.path("*.gz")); len(packed) == 0 {
			t.Error("nothing was packed")
		}
	}
}

// TestNoFileIsReadTwice follows old files too: renaming and copying make no new
// lines.
func TestNoFileIsReadTwice(t *testing.T) {
	p := newPlace(t, Options{})
	p.options.Glob += "*"
	p.restart()
	p.write(20)
	p.poll()
	p.rename()
	p.write(4)
	p.poll()
	p.counted("renamed")
	p.write(20)
	p.poll()
	p.copyTruncate()
	p.poll()
	p.must(os.WriteFile(p.path("app.log.3.gz"), []byte("a\nb\n"), 0o600))
	p.poll()
	p.counted("copied and packed")
}

func TestWhatIsThereWhenItBeginsIsOld(t *testing.T) {
	p := newPlace(t, Options{})
	p.restart()
	q := newPlace(t, Options{})
	q.put("old\nold\n")
	q.options.Glob = q.path("app.log")
	q.state = t.TempDir()
	q.restart()
	q.write(2)
	q.poll()
	q.counted("old lines")
}

func TestLinesOfEveryKind(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("错误：数据库连接失败 42")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text    string
		pattern string
		records int64
		matched int64
	}{
		"gbk":             {gbk + "\n", "数据库连接失败", 1, 1},
		"utf-8":           {"错误：数据库连接失败\n", "数据库连接失败", 1, 1},
		"windows":         {"ERROR a\r\nERROR b\r\n", "ERROR .$", 2, 2},
		"binary":          {"a\x00b\nERROR\n", "ERROR", 2, 1},
		"broken":          {"ERROR \xff\xfe\x80\n", "ERROR", 1, 1},
		"long":            {"ERROR " + strings.Repeat("x", 200<<10) + " LAST\nshort\n", "LAST", 2, 0},
		"no end":          {"ERROR", "ERROR", 0, 0},
		"java":            {"ERROR it failed\njava.lang.IllegalStateException: y\n\tat a.B(C.java:1)\n\t... 3 more\nCaused by: z\n\tat d\nINFO next\n", "Caused", 2, 1},
		"python":          {"ERROR it failed\nTraceback (most recent call last):\n  File \"a.py\", line 1\n    x()\nValueError: no\nINFO next\n", "ValueError", 2, 1},
		"an empty file":   {"\n\n", "x", 1, 0},
		"mixed encodings": {gbk + "\n数据库连接失败\n", "数据库连接失败", 2, 2},
	} {
		p := newPlace(t, Options{Pattern: regexp.MustCompile(c.pattern)})
		p.put(c.text)
		p.poll()
		if got := p.f.figures(p.now, 0).Counts; got.Records != c.records || got.Matched != c.matched {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRecordsThatBeginAsTold(t *testing.T) {
	p := newPlace(t, Options{Begins: regexp.MustCompile(`^\d{4}-`), Pattern: regexp.MustCompile("goroutine")})
	p.put("2026-01-01 panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:3\n2026-01-01 next\n")
	p.poll()
	if c := p.f.figures(p.now, 0).Counts; c.Records != 2 || c.Matched != 1 || c.Lines != 6 {
		t.Errorf("%+v", c)
	}
}

func TestFiguresOfAWhile(t *testing.T) {
	p := newPlace(t, Options{Pattern: regexp.MustCompile("ERROR"), Keep: 10 * time.Minute})
	p.put("ERROR 1\nERROR 2\n")
	p.poll()
	p.now = p.now.Add(5 * time.Minute)
	p.put("ERROR 3\nINFO\n")
	p.poll()
	for window, want := range map[time.Duration]int64{time.Minute: 1, 6 * time.Minute: 3} {
		if got := p.f.figures(p.now, window); got.Matched != want || got.Counts.Matched != 3 {
			t.Errorf("%v: %+v", window, got)
		}
	}
}

// TestNewKindsOfLines learns, and then meets what it never saw; a restart does
// not make it new again.
func TestNewKindsOfLines(t *testing.T) {
	p := newPlace(t, Options{Templates: true, Learn: time.Hour, Keep: time.Hour})
	p.write(100)
	p.put("WARN pool is full\n")
	p.poll()
	if g := p.f.figures(p.now, time.Minute); !g.Learning || g.New+g.Rare+g.Counts.New != 0 {
		t.Errorf("learning: %+v", g)
	}
	p.now = p.now.Add(time.Hour)
	p.write(100)
	p.put("ERROR payment gateway 17 refused card\nERROR payment gateway 18 refused card\nWARN pool is full\n")
	p.poll()
	if g := p.f.figures(p.now, time.Minute); g.Learning || g.New != 1 || g.Rare != 3 {
		t.Errorf("after an hour: %+v", g)
	}
	p.now = p.now.Add(saveEvery)
	p.write(1)
	p.poll()
	p.restart()
	p.put("ERROR payment gateway 19 refused card\n")
	p.poll()
	if g := p.f.figures(p.now, time.Minute); g.Counts.New != 1 || g.Counts.Rare != 4 {
		t.Errorf("restarted: %+v", g)
	}
}

// TestBursts has more lines in a second than templates are made of: all count.
func TestBursts(t *testing.T) {
	p := newPlace(t, Options{Templates: true, Pattern: regexp.MustCompile("accepted")})
	p.write(mineEachSecond + 500)
	p.poll()
	c := p.f.figures(p.now, time.Minute).Counts
	if c.Matched != mineEachSecond+500 || c.Unmined < 490 || c.Unmined > 500 {
		t.Errorf("%+v", c)
	}
}

func TestAStateThatCantBeRead(t *testing.T) {
	p := newPlace(t, Options{})
	p.must(os.WriteFile(p.f.file(), []byte("{"), 0o600))
	p.restart()
	p.write(3)
	p.poll()
	p.counted("anew")
	if _, err := os.Stat(p.f.file() + ".damaged"); err != nil {
		t.Error(err)
	}
}

func BenchmarkFollow(b *testing.B) {
	var text bytes.Buffer
	for i := range 200000 {
		fmt.Fprintf(&text, "2026-11-22 08:00:%02d.%03d INFO [http-%d] com.example.shop.OrderService order %d of customer c%d accepted in %d ms\n", i%60, i%1000, i%32, i, i%977, i%90)
		if i%50 == 0 {
			fmt.Fprintf(&text, "2026-11-22 08:00:00.000 ERROR [http-1] com.example.shop.Pool timeout after %d ms, host 10.0.0.%d\n", i, i%255)
		}
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.log"), text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for name, o := range map[string]Options{
		"pattern":   {Pattern: regexp.MustCompile("ERROR|timeout")},
		"templates": {Templates: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			before := spent(b)
			for b.Loop() {
				o.Glob, o.FromStart = filepath.Join(dir, "a.log"), true
				f, err := newFollower(o, "")
				if err != nil {
					b.Fatal(err)
				}
				f.whole = true
				now := time.Now()
				f.poll(now)
				for f.behind {
					now = now.Add(time.Second)
					f.poll(now)
				}
				for _, t := range f.tails {
					_ = t.file.Close()
				}
			}
			b.ReportMetric(float64(text.Len())*float64(b.N)/(spent(b)-before).Seconds()/1e6, "MB/cpu-s")
		})
	}
}

// spent is the processor's time that this process took.
func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
