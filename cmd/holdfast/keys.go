package main

import "github.com/spf13/cobra"

func (c *cli) keysCommand() *cobra.Command {
	keys := c.group("keys", "keys")
	rotate := c.command("rotate", "keys-rotate", exactly(0), nil)
	why := rotate.Flags().String("why", "", c.t("cli.flag.why"))
	yes := rotate.Flags().Bool("yes", false, c.t("cli.flag.yes"))
	rotate.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := c.client()
		if err == nil {
			err = c.needWhy(*why)
		}
		if err == nil {
			err = c.confirm(*yes, "cli.confirm.rotate")
		}
		if err != nil {
			return err
		}
		result, err := client.RotateKeys(cmd.Context(), *why)
		if err != nil {
			return err
		}
		return c.show(result, func() { c.say("cli.keys.rotated", "file", result.File) })
	}
	keys.AddCommand(rotate)
	return keys
}
