package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/term"
)

type options struct {
	bin       string
	dir       string
	dsn       string
	seed      uint64
	rate      float64
	lookups   float64
	capacity  float64
	customers int
	goods     int
	before    time.Duration
	outage    time.Duration
	after     time.Duration
	patience  time.Duration
	keep      bool
	json      bool
}

// ordersCapacity is what the shop bears for orders: a part is for look-ups.
func (o options) ordersCapacity() float64 { return o.capacity - 1.2*o.lookups }

var errNotKept = errors.New("not what was promised")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case errors.Is(err, errNotKept): // the scorecard says why
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", "bin", "folder of the programs shop and holdfast")
	flags.StringVar(&o.dir, "dir", "demo-data", "folder for what the demo writes; on a real disk, not in memory")
	flags.StringVar(&o.dsn, "dsn", "", "postgres://... for the shop's database instead of a SQLite file")
	flags.Uint64Var(&o.seed, "seed", 0, "of what customers do; 0: a new one")
	flags.Float64Var(&o.rate, "rate", 200, "orders a second")
	flags.Float64Var(&o.lookups, "lookups", 50, "look-ups a second")
	flags.Float64Var(&o.capacity, "capacity", 500, "requests a second that the shop bears")
	flags.IntVar(&o.customers, "customers", 40, "how many customers")
	flags.IntVar(&o.goods, "goods", 500, "how many goods the shop has")
	flags.DurationVar(&o.before, "before", 8*time.Second, "from the start to the kill")
	flags.DurationVar(&o.outage, "outage", 12*time.Second, "from the kill until the shop is started again")
	flags.DurationVar(&o.after, "after", 5*time.Second, "after the drain")
	flags.DurationVar(&o.patience, "patience", 2*time.Minute, "for the drain")
	flags.BoolVar(&o.keep, "keep", false, "leave everything running until ctrl-C")
	flags.BoolVar(&o.json, "json", false, "print the scorecard as JSON, and the rest to standard error")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rate+o.lookups >= o.capacity {
		return o, fmt.Errorf("a shop that bears %g/s never catches up with %g orders and %g look-ups a second", o.capacity, o.rate, o.lookups)
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) // #nosec G115 -- any number does
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	out := stdout
	if o.json {
		out = stderr
	}
	tty := terminal(out)
	s := &screen{out: out, live: tty, color: tty && os.Getenv("NO_COLOR") == "", rate: o.rate,
		columns: func() int { return columns(out) }}

	w, err := newWorld(o)
	if err != nil {
		return err
	}
	defer func() {
		w.spawner.Close()
		if err == nil {
			err = os.RemoveAll(w.dir)
		} else {
			fmt.Fprintln(stderr, "demo: logs, ledgers and data are left in", w.dir)
		}
	}()
	d := &drama{options: o, world: w, screen: s, watch: newWatcher()}
	result, err := d.play(ctx)
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(result); err != nil {
			return err
		}
	} else {
		result.print(out, s.color)
	}
	if o.keep {
		w.invite(out)
		<-ctx.Done()
	}
	if !result.good() {
		return errNotKept
	}
	return nil
}

// invite says what can be tried while everything is left running.
func (w *world) invite(out io.Writer) {
	fmt.Fprintf(out, `
Everything is left running; ctrl-C ends it. Try:

  curl -i http://%[1]s/api/orders -H 'Idempotency-Key: mine-1' \
       -d '{"order_no":"MINE-1","customer":"c001","sku":"sku-0001","qty":1,"total":"9.90","currency":"CNY"}'
  kill -9 %[3]d          # the shop; then order again under another number and key
  %[4]s/holdfast status --config %[2]s/relay.yaml
  %[4]s/shop --listen %[5]s --db %[2]s/shop.db   # and it comes back
`, w.relayAddr, w.dir, w.shop.PID(), w.options.bin, w.shopAddr)
}

func terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) // #nosec G115 -- a descriptor is small
}

func columns(out io.Writer) int {
	if f, ok := out.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 { // #nosec G115 -- as above
			return n
		}
	}
	return 80
}

// runID begins the numbers of a run's orders; it tells them from those of an
// earlier run in the same database.
func runID(now time.Time) string { return "d" + strconv.FormatInt(now.UnixMilli(), 36) }
