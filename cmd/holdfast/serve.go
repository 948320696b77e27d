package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/internal/app"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/listener"
	"holdfast/internal/yamldoc"
)

func (c *cli) serveCommand() *cobra.Command {
	cmd := c.command("serve", "serve", exactly(0), func(cmd *cobra.Command, _ []string) error {
		return c.serve(cmd.Context())
	})
	c.logFlag(cmd)
	return cmd
}

func (c *cli) logFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.logLevel, "log-level", "info", c.t("cli.flag.log-level"))
}

// serve runs the relay in the foreground.
func (c *cli) serve(ctx context.Context) error {
	logger, err := c.logger()
	if err != nil {
		return err
	}
	slog.SetDefault(logger)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, app.Signals()...)
	defer signal.Stop(signals)
	file := c.where.configFile()
	inherited, err := listener.Inherit()
	if err != nil {
		return err
	}
	defer inherited.Close()
	err = app.Run(ctx, app.Options{ConfigFile: file, Version: version, Program: program(), Inherited: inherited, Logger: logger}, signals)
	switch {
	case errors.Is(err, app.ErrHurried):
		c.warn("cli.serve.hurried")
		c.reported = true
	case continuity.CodeOf(err) == continuity.CodeConfig:
		c.explainConfig(file)
	}
	return err
}

// program is this program's file as it was started: a new version that takes
// its place stands there too, while the system's own notion of the running
// program follows the old file.
func program() string {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	return path
}

// explainConfig shows what is wrong with a configuration that can't be used.
func (c *cli) explainConfig(file string) {
	src, err := config.Read(file)
	if err != nil {
		return // the error itself says so
	}
	_, problems, err := config.Load(file)
	if err == nil || len(problems) == 0 {
		return
	}
	if c.json {
		_ = yamldoc.WriteJSON(c.out, c.lang, problems)
		return
	}
	_ = yamldoc.Render(c.err, c.lang, src, problems)
}
