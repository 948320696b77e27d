package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/demo"
	"holdfast/internal/demo/shop"
)

func (c *cli) demoCommand() *cobra.Command {
	cmd := c.group("demo", "demo")
	cmd.AddCommand(c.demoStory("incident", demo.Incident), c.demoStory("maintenance", demo.Maintenance), c.demoStory("upgrade", demo.Upgrade), c.demoShopCommand(), c.demoHandCommand())
	return cmd
}

// lasts is the longest that a demo may take.
const lasts = 8 * time.Minute

// demoStory tells one story. Its exit status is not 0 where a promise was broken.
func (c *cli) demoStory(name string, tell func(context.Context, demo.Options, demo.Show) (*demo.Report, error)) *cobra.Command {
	var o demo.Options
	s := demo.Show{Rate: 40, Lookups: 10}
	cmd := c.command(name, "demo."+name, exactly(0), func(cmd *cobra.Command, _ []string) (err error) {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		ctx, cancel := context.WithTimeout(ctx, lasts)
		defer cancel()
		o.Lang, s.Out = c.lang, c.out
		if c.json {
			s.Out = c.err
		}
		s.Color = terminal(s.Out) && c.env("NO_COLOR") == ""
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
		r, err := tell(ctx, o, s)
		if err != nil {
			return err
		}
		if err := c.show(r, func() { r.Print(c.out, c.lang, s.Color) }); err != nil {
			return err
		}
		if !r.Good() {
			return findings{}
		}
		return nil
	})
	f := cmd.Flags()
	f.StringVar(&o.Dir, "folder", "", c.t("cli.flag.demo-folder"))
	f.StringVar(&o.ControlDSN, "control-dsn", "", c.t("cli.flag.demo-control-dsn"))
	if name != "upgrade" { // its shop has a server of its own, of which backups are made
		f.StringVar(&o.ShopDSN, "shop-dsn", "", c.t("cli.flag.demo-shop-dsn"))
	}
	f.Uint64Var(&s.Seed, "seed", 0, c.t("cli.flag.demo-seed"))
	f.BoolVar(&s.Keep, "keep", false, c.t("cli.flag.demo-keep"))
	return cmd
}

// demoShopCommand is the shop of the demos, a process of its own.
func (c *cli) demoShopCommand() *cobra.Command {
	return &cobra.Command{Use: "shop", Hidden: true, DisableFlagParsing: true, RunE: func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return shop.Run(ctx, args, c.out, c.err)
	}}
}

// demoHandCommand asks the demos' service manager to stop, start or restart the shop,
// or to put another release of it in its place.
func (c *cli) demoHandCommand() *cobra.Command {
	return &cobra.Command{Use: "hand URL stop|start|restart|put [RELEASE]", Hidden: true, Args: cobra.RangeArgs(2, 3), RunE: func(cmd *cobra.Command, args []string) error {
		asked := url.Values{}
		if len(args) > 2 {
			asked.Set("release", args[2])
		}
		return askHand(cmd.Context(), args[0]+"/"+args[1]+"?"+asked.Encode())
	}}
}

func askHand(ctx context.Context, what string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, what, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return continuity.E(continuity.CodeUnreachable, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return continuity.E(continuity.CodeInternal, nil, "cause", string(said))
	}
	return nil
}
