package folder_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/backup"
)

const captureEnv = "HOLDFAST_TEST_CAPTURE"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(captureEnv); ok {
		os.Exit(captureChild(args))
	}
	os.Exit(m.Run())
}

// captureChild captures to its standard output, again and again.
func captureChild(args string) int {
	dir, spool, _ := strings.Cut(args, "\n")
	t := &testing.T{}
	d := open(t, dir, spool)
	for {
		if _, err := d.Delta(context.Background(), "p0", os.Stdout, nil, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

// However a capturing process ends, what was published before is what the next delta
// follows on.
func TestAKilledCaptureCountsForNothing(t *testing.T) {
	dir, spool := t.TempDir(), t.TempDir()
	put(t, filepath.Join(dir, "a"), "a")
	c := &taken{driver: open(t, dir, spool)}
	c.take(t)
	put(t, filepath.Join(dir, "b"), strings.Repeat("b", 1<<20))
	put(t, filepath.Join(dir, "c"), "c")
	for _, after := range []int{1, 1 << 16, 1<<20 + 1<<18, 3 << 20} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), captureEnv+"="+dir+"\n"+spool)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, out, int64(after)); err != nil {
			t.Fatalf("the child wrote %d bytes: %v", n, err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child was not killed")
		}
		if err := open(t, dir, spool).Published(t.Context(), "p1"); !errors.Is(err, backup.ErrNeedsFull) {
			t.Fatalf("what another process captured was published by this one: %v", err)
		}
	}
	c.driver = open(t, dir, spool)
	c.take(t)
	sameTree(t, tree(t, restore(t, backup.Restore{Pieces: c.pieces}).Address()), tree(t, dir))
}

// writer writes messages into files of their own and lines into one log, and keeps its
// own account.
type writer struct {
	sync.Mutex
	messages map[string]string // name: content
	lines    int
}

func (w *writer) run(ctx context.Context, dir string) error {
	log, err := os.Create(filepath.Join(dir, "chat.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	for n := 0; ctx.Err() == nil; n++ {
		name, content := fmt.Sprintf("message-%06d", n), strings.Repeat(fmt.Sprint(n, " "), n%5000)
		tmp := filepath.Join(dir, ".tmp")
		if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
			return err
		}
		if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(log, "line %d\n", n); err != nil {
			return err
		}
		w.Lock()
		w.messages[name] = content
		w.lines++
		old := fmt.Sprintf("message-%06d", n-500)
		if n >= 500 {
			delete(w.messages, old)
		}
		w.Unlock()
		if n >= 500 {
			if err := os.Remove(filepath.Join(dir, old)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) account() (map[string]string, int) {
	w.Lock()
	defer w.Unlock()
	return maps.Clone(w.messages), w.lines
}

// While a folder is written to, a piece holds everything that was there before it began,
// each file as somebody wrote it, and each line up to where it ends.
func TestAWriterIsAtWork(t *testing.T) {
	dir := t.TempDir()
	w := &writer{messages: map[string]string{}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, dir) }()
	c := &taken{driver: open(t, dir, t.TempDir())}
	for range 5 {
		before, lines := w.account()
		c.take(t)
		after, _ := w.account()
		i := restore(t, backup.Restore{Pieces: c.pieces})
		for name, content := range before {
			if _, still := after[name]; !still {
				continue // deleted while it was captured
			}
			if got, err := os.ReadFile(filepath.Join(i.Address(), name)); string(got) != content || err != nil {
				t.Fatalf("%s: %d bytes, want %d (%v)", name, len(got), len(content), err)
			}
		}
		logged(t, filepath.Join(i.Address(), "chat.log"), lines)
		for _, f := range figures(t, i) {
			if f.Measure == "unsettled" && f.Value != "0" {
				t.Errorf("a log that only grows and files that are renamed count as unsettled: %v", f)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	c.take(t)
	sameTree(t, tree(t, restore(t, backup.Restore{Pieces: c.pieces}).Address()), tree(t, dir))
}

func logged(t *testing.T, path string, least int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		if least == 0 && errors.Is(err, os.ErrNotExist) {
			return
		}
		t.Fatal(err)
	}
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	n := 0
	for lines := bufio.NewScanner(bytes.NewReader(whole)); lines.Scan(); n++ {
		if want := fmt.Sprintf("line %d", n); lines.Text() != want {
			t.Fatalf("line %d is %q", n, lines.Text())
		}
	}
	if n < least {
		t.Errorf("%d lines, and %d were written before", n, least)
	}
}

// A file that is written over each time it is read counts, and the figures say so.
func TestAFileThatGivesNoRest(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "busy")
	put(t, path, strings.Repeat("0", 3<<20))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &taken{driver: open(t, dir, t.TempDir())}
	n := 0
	disturb := func(backup.Progress) { // whenever a chunk has been read
		n++
		if _, err := f.WriteAt(fmt.Append(nil, n), 0); err != nil {
			t.Error(err)
		}
	}
	var out bytes.Buffer
	captured, err := c.driver.Full(t.Context(), &out, nil, disturb)
	if err != nil {
		t.Fatal(err)
	}
	if n < 6 {
		t.Errorf("it was read in %d chunks only: not again", n)
	}
	loose := ""
	for _, f := range captured.Figures {
		if f.Measure == "unsettled" {
			loose = f.Value
		}
	}
	if loose != "1" {
		t.Errorf("unsettled: %q, want 1", loose)
	}
	c.pieces = append(c.pieces, piece("p0", "", backup.TypeFull, captured, out.Bytes()))
	if err := c.driver.Published(t.Context(), "p0"); err != nil {
		t.Fatal(err)
	}
	i := restore(t, backup.Restore{Pieces: c.pieces})
	if got := figures(t, i); fmt.Sprint(got) != fmt.Sprint(captured.Figures) {
		t.Errorf("figures %v, want %v", got, captured.Figures)
	}
	c.take(t) // now it rests: the delta has it whole
	i = restore(t, backup.Restore{Pieces: c.pieces})
	sameTree(t, tree(t, i.Address()), tree(t, dir))
	if last := figures(t, i); last[4].Value != "0" {
		t.Errorf("it still counts as unsettled: %v", last)
	}
}

// A file that was changed within one tick of the clock is found by its content.
func TestAYoungFileIsReadOnceMore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	put(t, path, "one")
	c := &taken{driver: open(t, dir, t.TempDir())}
	c.take(t)
	put(t, path, "two")
	c.take(t)
	i := restore(t, backup.Restore{Pieces: c.pieces})
	got, err := os.ReadFile(filepath.Join(i.Address(), "a"))
	if string(got) != "two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReplacing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "service")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o750); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "sub", "a"), "good")
	c := &taken{driver: open(t, dir, t.TempDir())}
	c.take(t)
	good := tree(t, dir)
	put(t, filepath.Join(dir, "sub", "a"), "bad")
	put(t, filepath.Join(dir, "later"), "x")
	bad := tree(t, dir)
	i := restore(t, backup.Restore{Pieces: c.pieces})
	ctx, d := t.Context(), c.driver
	steps := []struct {
		name string
		do   func() error
		want map[string]string
	}{
		{"prepare", func() error { return d.Prepare(ctx, i, "abc", nil, nil) }, bad},
		{"prepare again", func() error { return d.Prepare(ctx, i, "abc", nil, nil) }, bad},
		{"switch", func() error { return d.Switch(ctx, "abc") }, good},
		{"switch again", func() error { return d.Switch(ctx, "abc") }, good},
		{"prepare in place", func() error { return d.Prepare(ctx, i, "abc", nil, nil) }, good},
		{"undo", func() error { return d.Undo(ctx, "abc") }, bad},
		{"undo again", func() error { return d.Undo(ctx, "abc") }, bad},
		{"switch once more", func() error { return d.Switch(ctx, "abc") }, good},
		{"drop", func() error { return d.Drop(ctx, "abc") }, good},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		sameTree(t, tree(t, dir), s.want)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := d.Switch(ctx, "abc"); err == nil {
		t.Error("switched to nothing")
	}
	if err := d.Prepare(ctx, i, "abc", []string{"sub"}, nil); err == nil {
		t.Error("a part of a folder was prepared")
	}
}
