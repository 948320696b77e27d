// Command bench measures Holdfast beside its peers, in one interleaved run on
// one machine, and prints ratios. Figures alone say little: machines differ and
// change their pace; the ratio of two neighbours stays.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

type bench struct {
	dir        string
	round      time.Duration
	rounds     int
	pending    int
	remembered int
	events     int
	size       int64 // bytes of the database that is backed up
	kills      int
	only       string // a group of rows; empty: all
	binary     string // holdfast, as it is installed

	silent bool // rows are kept for another process
	cells  [][3]string
}

// groups are the rows, in the order of the table; -only takes one of them alone.
var groups = []struct {
	name string
	rows func(*bench) error
}{
	{"pass", (*bench).passRows},
	{"accept", func(b *bench) error { return errors.Join(b.acceptRows(0), b.acceptRows(time.Millisecond)) }},
	{"peers", func(b *bench) error { return errors.Join(b.peerRows(0), b.peerRows(time.Millisecond)) }},
	{"drain", func(b *bench) error { return errors.Join(b.drainRows(), b.stuckRow(), b.lifeRow()) }},
	{"overload", (*bench).overloadRows},
	{"killed", (*bench).killedRows},
	{"replaying", (*bench).replayingRows},
	{"pending", (*bench).pendingRows},
	{"control", (*bench).controlRows},
	{"checks", (*bench).checksRows},
	{"backup", (*bench).backupRows},
}

func (b *bench) row(what, got, goal string) {
	b.cells = append(b.cells, [3]string{what, got, goal})
	if b.silent {
		return
	}
	line := fmt.Sprintf("| %s | %s | %s |", what, got, goal)
	fmt.Println(line)
}

func main() {
	kind := flag.String("serve", "", "be a server under test: front, holdfast, sqlite or jetstream")
	dir := flag.String("dir", "", "where to keep data; empty: a temporary folder")
	delay := flag.Duration("delay", 0, "added to each sync")
	round := flag.Duration("round", 2*time.Second, "length of a round")
	rounds := flag.Int("rounds", 5, "rounds of each kind; odd")
	beside := flag.String("beside", "", "another build of this program: only durable accept and drain of both, in turns")
	pending := flag.Int("pending", 1_000_000, "records pending in the rows about them")
	remembered := flag.Int("remembered", 10_000_000, "repeat keys remembered in the row about them")
	events := flag.Int("events", 1_000_000, "events of a control node in the rows about its API")
	size := flag.Int64("size", 1<<30, "bytes of the database in the rows about backups")
	fillShape := flag.Int("pending-fill", -1, "internal")
	reopenShape := flag.Int("pending-reopen", -1, "internal")
	load := flag.String("load", "", "only load the server at this address, for a round")
	rate := flag.Float64("rate", 0, "with -load: requests a second, whether or not answers come; 0: as fast as it goes")
	upstream := flag.String("upstream", "", "internal")
	group := flag.String("only", "", "only one group of rows: "+strings.Join(names(), ", "))
	kills := flag.Int("kills", 10, "how often the upstream goes away in the rows about it; a long run: 1000")
	swallowed := flag.Bool("swallowed", false, "internal")
	binary := flag.String("holdfast", "", "the holdfast binary that passes requests on; empty: one is built")
	drainOnce := flag.Bool("drain-once", false, "internal")
	flag.Parse()
	var err error
	switch {
	case *kind == "shop":
		err = serveShop()
	case *kind == "jetstream":
		err = serveJetStream(*dir)
	case *kind == "upstream", *kind == "fasthttp", *kind == "reverseproxy":
		err = servePass(*kind, *upstream)
	case *kind != "":
		err = serve(*kind, *dir, *delay)
	case *fillShape >= 0:
		err = fillPending(*fillShape, *pending, *remembered, *dir)
	case *reopenShape >= 0:
		err = reopenPending(*reopenShape, *pending, *remembered, *dir)
	case *drainOnce:
		err = drainOne(*dir)
	case *load != "":
		var f figures
		serial.Store(time.Now().UnixNano()) // not the orders of a load before
		f, err = drive(*load, 64, *rate, *round)
		fmt.Printf("%.0f/s", f.rate())
		if *rate > 0 {
			fmt.Printf(", median %v, p99 %v", f.percentile(0.5), f.percentile(0.99))
		}
		fmt.Println()
	case *swallowed:
		err = (&bench{dir: *dir, kills: *kills, binary: *binary}).swallowed()
	case *beside != "":
		b := &bench{round: *round, rounds: *rounds}
		err = b.compare(*beside, *dir, *delay)
	case *group != "" && !slices.Contains(names(), *group):
		err = fmt.Errorf("-only %s: known are %s", *group, strings.Join(names(), ", "))
	default:
		b := &bench{round: *round, rounds: *rounds, pending: *pending, remembered: *remembered, events: *events, size: *size, only: *group, kills: *kills, binary: *binary}
		err = b.run(*dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(dir string) (err error) {
	if b.dir, err = os.MkdirTemp(dir, "holdfast-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	fmt.Printf("%s, %s, %d cores; rounds of %v, medians of %d; 1 KB POST\n\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), b.round, b.rounds)
	fmt.Println("| what | measured | goal |\n|---|---|---|")
	for _, g := range groups {
		if b.only != "" && b.only != g.name {
			continue
		}
		if err := g.rows(b); err != nil {
			return err
		}
	}
	return nil
}

func names() []string {
	var all []string
	for _, g := range groups {
		all = append(all, g.name)
	}
	return all
}
