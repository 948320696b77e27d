package main

import "github.com/spf13/cobra"

func (c *cli) channelCommand() *cobra.Command {
	cmd := c.onNode(c.group("channel", "channel"))
	cmd.AddCommand(c.channelPreviewCommand())
	return cmd
}
