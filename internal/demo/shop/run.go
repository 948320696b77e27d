package shop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

type options struct {
	listen    string
	db        string
	dsn       string
	dsnFile   string
	release   string
	capacity  float64
	goods     int
	customers int
	recount   time.Duration

	url     string // of a shop that is asked for its version
	queries bool
	json    bool
}

// Run does what args say: without a subcommand it serves until ctx ends, and prints
// one line with the address once requests are answered.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if !slices.Contains([]string{"serve", "version", "migrate", "invariants"}, command) {
		return fmt.Errorf("unexpected argument %q: there are serve, version, migrate and invariants", command)
	}
	how := ""
	if command == "migrate" && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		how, args = args[0], args[1:]
	}
	o, err := parse(command, args, stderr)
	if err != nil {
		return err
	}
	switch command {
	case "version":
		return runVersion(ctx, o, stdout)
	case "migrate":
		return runMigrate(ctx, o, how, stdout)
	case "invariants":
		return runInvariants(ctx, o, stdout)
	}
	return serve(ctx, o, stdout)
}

// parse reads the flags that a subcommand has.
func parse(command string, args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("shop "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	of := func(commands ...string) bool { return slices.Contains(commands, command) }
	flags.StringVar(&o.release, "release", releases[0].name, "which release this is: v1, v2, v2.0.1 or v2.1")
	if of("serve", "migrate", "invariants") {
		flags.StringVar(&o.db, "db", "shop.db", "SQLite file")
		flags.StringVar(&o.dsn, "dsn", "", "postgres://... to keep everything in PostgreSQL instead")
		flags.StringVar(&o.dsnFile, "dsn-file", "", "a file that has it, so that it is in no list of processes")
	}
	if of("serve") {
		flags.StringVar(&o.listen, "listen", "127.0.0.1:9001", "address to listen on; port 0 takes a free one")
		flags.Float64Var(&o.capacity, "capacity", 0, "requests a second that the shop bears; 0: as many as come")
		flags.IntVar(&o.goods, "goods", 500, "how many goods a new shop has")
		flags.IntVar(&o.customers, "customers", 40, "how many customers a new shop has")
		flags.DurationVar(&o.recount, "recount", 2*time.Minute, "how often totals are counted anew from their lines, since v2; 0: never")
	}
	if of("version", "migrate", "invariants") {
		flags.BoolVar(&o.json, "json", false, "for programs")
	}
	if of("version") {
		flags.StringVar(&o.url, "url", "", "of a shop, to ask what runs there")
	}
	if of("invariants") {
		flags.BoolVar(&o.queries, "sql", false, "show the queries, and ask nothing")
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.dsnFile != "" {
		text, err := os.ReadFile(o.dsnFile)
		if err != nil {
			return o, err
		}
		o.dsn = cmp.Or(o.dsn, strings.TrimSpace(string(text)))
	}
	return o, nil
}

// print shows what a command found.
func (o options) print(out io.Writer, found any, words func()) error {
	if o.json {
		return json.NewEncoder(out).Encode(found)
	}
	words()
	return nil
}

func serve(ctx context.Context, o options, stdout io.Writer) error {
	shop, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer shop.Close()

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler(shop, o.capacity),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	counting, enough := context.WithCancel(ctx)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		shop.recounting(counting, o.recount)
	}()
	defer func() {
		enough()
		<-counted
	}()
	fmt.Fprintf(stdout, "shop on %s (pid %d)\n", listener.Addr(), os.Getpid())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// runVersion is `shop version`: of this program or, with a URL, of what runs there.
func runVersion(ctx context.Context, o options, out io.Writer) error {
	r, err := findRelease(o.release)
	if err != nil {
		return err
	}
	v := version{Release: r.name, Needs: r.schema}
	if o.url != "" {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/version", http.NoBody)
		if err != nil {
			return err
		}
		response, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", o.url, response.Status)
		}
		if err := json.NewDecoder(response.Body).Decode(&v); err != nil {
			return err
		}
	}
	return o.print(out, v, func() { fmt.Fprintln(out, v.Release) })
}
