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
	"time"
)

type bench struct {
	dir     string
	round   time.Duration
	rounds  int
	pending int
	rows    []string

	onlyPeers  bool
	onlyPass   bool
	onlyAccept bool
	binary     string // holdfast, as it is installed
}

func (b *bench) row(what, got, goal string) {
	line := fmt.Sprintf("| %s | %s | %s |", what, got, goal)
	fmt.Println(line)
	b.rows = append(b.rows, line)
}

func main() {
	kind := flag.String("serve", "", "be a server under test: front, holdfast, sqlite or jetstream")
	dir := flag.String("dir", "", "where to keep data; empty: a temporary folder")
	delay := flag.Duration("delay", 0, "added to each sync")
	round := flag.Duration("round", 2*time.Second, "length of a round")
	rounds := flag.Int("rounds", 5, "rounds of each kind; odd")
	only := flag.Bool("peers", false, "only durable accept beside Redis, RabbitMQ, JetStream and PostgreSQL")
	beside := flag.String("beside", "", "another build of this program: only durable accept and drain of both, in turns")
	pending := flag.Int("pending", 1_000_000, "records pending in the rows about them")
	fillShape := flag.Int("pending-fill", -1, "internal")
	reopenShape := flag.Int("pending-reopen", -1, "internal")
	load := flag.String("load", "", "only load the server at this address, for a round")
	rate := flag.Float64("rate", 0, "with -load: requests a second, whether or not answers come; 0: as fast as it goes")
	upstream := flag.String("upstream", "", "internal")
	rows := flag.String("only", "", "pass: only the rows about passing requests on, beside nginx and others; accept: only those about keeping them")
	binary := flag.String("holdfast", "", "the holdfast binary that passes requests on; empty: one is built")
	onlyDrain := flag.Bool("drain", false, "only the rows about draining")
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
		err = fillPending(*fillShape, *pending, *dir)
	case *reopenShape >= 0:
		err = reopenPending(*pending, *dir)
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
	case *onlyDrain:
		b := &bench{dir: *dir, round: *round, rounds: *rounds}
		err = errors.Join(b.drainRows(), b.stuckRow(), b.lifeRow())
	case *onlyOverload:
		err = (&bench{dir: *dir, round: *round, rounds: *rounds}).overloadRows()
	case *beside != "":
		b := &bench{round: *round, rounds: *rounds}
		err = b.compare(*beside, *dir, *delay)
	case *rows != "" && *rows != "pass" && *rows != "accept":
		err = fmt.Errorf("-only %s: only pass and accept are known", *rows)
	default:
		b := &bench{round: *round, rounds: *rounds, pending: *pending, onlyPeers: *only, onlyPass: *rows == "pass", onlyAccept: *rows == "accept", binary: *binary}
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
	if !b.onlyPeers && !b.onlyAccept {
		if err := b.passRows(); err != nil || b.onlyPass {
			return err
		}
	}
	for _, delay := range []time.Duration{0, time.Millisecond} {
		if !b.onlyPeers {
			if err := b.acceptRows(delay); err != nil {
				return err
			}
		}
		if b.onlyAccept {
			continue
		}
		if err := b.peerRows(delay); err != nil {
			return err
		}
	}
	if b.onlyPeers || b.onlyAccept {
		return nil
	}
	for _, rows := range []func() error{b.drainRows, b.stuckRow, b.lifeRow, b.overloadRows} {
		if err := rows(); err != nil {
			return err
		}
	}
	return b.pendingRows()
}
