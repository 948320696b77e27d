package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/problem"
)

// ended ends with the status of the command that was run.
type ended int

func (e ended) Error() string { return "the command ended with " + strconv.Itoa(int(e)) }

func (c *cli) heartbeatCommand() *cobra.Command {
	failed := false
	var took time.Duration
	cmd := c.command("heartbeat <service>/<check> [-- command...]", "heartbeat", cobra.ArbitraryArgs, func(cmd *cobra.Command, args []string) error {
		dash := cmd.ArgsLenAtDash()
		if len(args) == 0 || dash == 0 || dash < 0 && len(args) != 1 || dash > 1 {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		path, err := checkPath("heartbeats", args[0])
		if err != nil {
			return err
		}
		query := url.Values{}
		var status error
		if len(args) > 1 {
			began := time.Now()
			status = c.wrapped(cmd.Context(), args[1:])
			took = time.Since(began)
			failed = failed || status != nil
		}
		if failed {
			query.Set("status", "failed")
		}
		if took > 0 {
			query.Set("seconds", strconv.FormatFloat(took.Seconds(), 'f', 3, 64))
		}
		// The job is what counts: nobody may hear of it, but its status is passed on.
		if err := c.beat(cmd.Context(), path+"?"+query.Encode()); err != nil {
			if len(args) == 1 {
				return err
			}
			c.warn("cli.heartbeat.untold", "cause", problem.Of(err, c.lang).Title)
		}
		return status
	})
	c.onNode(cmd)
	cmd.Flags().BoolVar(&failed, "failed", false, c.t("cli.flag.heartbeat-failed"))
	cmd.Flags().DurationVar(&took, "took", 0, c.t("cli.flag.heartbeat-took"))
	return cmd
}

func (c *cli) beat(ctx context.Context, path string) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	return tell(ctx, node, path)
}

// wrapped runs a command as if it had been run by itself, and passes signals on.
func (c *cli) wrapped(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) // #nosec G204 -- what the operator typed
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.in, c.out, c.err
	if err := cmd.Start(); err != nil {
		c.warn("cli.heartbeat.not-run", "command", args[0], "cause", err.Error())
		return ended(127)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	over := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // it may have ended already
			case <-over:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(over)
	signal.Stop(signals)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return ended(exit.ExitCode())
	case errors.As(err, &exit):
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			return ended(128 + int(w.Signal()))
		}
	}
	return ended(1)
}
