package main

import (
	"github.com/spf13/cobra"

	"holdfast/internal/config"
	"holdfast/internal/listener"
)

// caCommand prints what clients of an internal listener must trust. It reads the
// data folder, so that it works while the relay is stopped.
func (c *cli) caCommand() *cobra.Command {
	return c.command("ca", "relay-ca", exactly(0), func(*cobra.Command, []string) error {
		root, err := listener.RootPEM(config.DataDir(c.where.configFile()))
		if err != nil {
			return err
		}
		_, err = c.out.Write(root)
		return err
	})
}
