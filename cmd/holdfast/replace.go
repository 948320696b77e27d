package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

const (
	replaceTime = 2 * time.Minute // for what is under way to end, and the journal to be read
	replacePoll = 200 * time.Millisecond
)

func (c *cli) replaceCommand() *cobra.Command {
	return c.command("replace", "relay-replace", exactly(0), func(cmd *cobra.Command, _ []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		before, err := client.Status(cmd.Context())
		if err != nil {
			return err
		}
		if err := client.Replace(cmd.Context()); err != nil {
			return err
		}
		after, err := c.awaitOther(cmd.Context(), client, before)
		if err != nil {
			return err
		}
		return c.show(after, func() {
			c.say("cli.relay.replace.done", "before", before.Version, "after", after.Version, "pid", after.PID)
		})
	})
}

// awaitOther waits for the relay that takes the place of the one before.
func (c *cli) awaitOther(ctx context.Context, client *api.Client, before api.Status) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, replaceTime)
	defer cancel()
	poll := time.NewTicker(replacePoll)
	defer poll.Stop()
	for {
		now, err := client.Status(ctx)
		if err == nil && !now.Started.Equal(before.Started) {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return api.Status{}, err
		case <-poll.C:
		}
	}
}
