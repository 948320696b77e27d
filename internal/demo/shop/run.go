package shop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

type options struct {
	listen    string
	db        string
	dsn       string
	capacity  float64
	goods     int
	customers int
}

// Run serves until ctx ends. It prints one line with the address once requests
// are answered.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9001", "address to listen on; port 0 takes a free one")
	flags.StringVar(&o.db, "db", "shop.db", "SQLite file")
	flags.StringVar(&o.dsn, "dsn", "", "postgres://... to keep everything in PostgreSQL instead")
	flags.Float64Var(&o.capacity, "capacity", 0, "requests a second that the shop bears; 0: as many as come")
	flags.IntVar(&o.goods, "goods", 500, "how many goods a new shop has")
	flags.IntVar(&o.customers, "customers", 40, "how many customers a new shop has")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

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
