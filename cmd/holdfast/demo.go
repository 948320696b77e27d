package main

import (
	"context"
	"io"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/demo/shop"
)

func (c *cli) demoCommand() *cobra.Command {
	cmd := c.group("demo", "demo")
	cmd.AddCommand(c.demoShopCommand(), c.demoRestartCommand())
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

// demoRestartCommand asks the demos' service manager to start the shop again.
func (c *cli) demoRestartCommand() *cobra.Command {
	return &cobra.Command{Use: "restart URL", Hidden: true, Args: exactly(1), RunE: func(cmd *cobra.Command, args []string) error {
		return askedToRestart(cmd.Context(), args[0])
	}}
}

func askedToRestart(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/restart", http.NoBody)
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
