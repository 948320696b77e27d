package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/control"
	"holdfast/internal/controlapi"
	"holdfast/internal/endpoint"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// probeCommand runs a probe node. It has flags and no file: it keeps nothing.
func (c *cli) probeCommand() *cobra.Command {
	var node, folder, prefix, mark string
	var controls, allow, anchors, folders []string
	cmd := c.command("probe", "probe", exactly(0), func(cmd *cobra.Command, _ []string) error {
		if len(controls) == 0 {
			if address := c.env("HOLDFAST_CONTROL"); address != "" {
				controls = []string{address}
			}
		}
		if len(controls) == 0 || node == "" {
			return invalid("cli.invalid.probe", "usage", cmd.UseLine())
		}
		logger, err := c.logger()
		if err != nil {
			return err
		}
		rules, err := outgoing.Rules(allow...)
		if err != nil {
			return invalid("cli.invalid.allow", "cause", err.Error())
		}
		tokenFile := c.where.tokenFile
		if tokenFile == "" {
			tokenFile = c.env("HOLDFAST_CONTROL_TOKEN_FILE")
		}
		token := c.env("HOLDFAST_CONTROL_TOKEN")
		if token == "" || tokenFile != "" {
			if token, err = endpoint.ReadToken(tokenFile); err != nil {
				return continuity.E(continuity.CodeForbidden, err, "control", true)
			}
		}
		o := control.ProbeOptions{
			Node: node, Outgoing: outgoing.NewPolicy(rules...), Anchors: anchors, Logs: folders, Logger: logger,
			Secrets: secret.Source{Folder: folder, Prefix: prefix, Getenv: c.env},
		}
		if folder != "" {
			if o.Secrets.Folder, err = filepath.Abs(folder); err != nil {
				return err
			}
		}
		if mark != "" {
			if o.Mark, err = control.MarkKey(o.Secrets, mark); err != nil {
				return err
			}
		}
		roots, err := c.controlRoots()
		if err != nil {
			return err
		}
		for _, address := range controls {
			o.Controls = append(o.Controls, controlapi.NewClient(address, token, c.person, c.lang, roots))
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return control.RunProbe(ctx, o)
	})
	c.logFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&node, "name", "", c.t("cli.flag.probe-name"))
	f.StringArrayVar(&controls, "control", nil, c.t("cli.flag.probe-control"))
	f.StringArrayVar(&allow, "allow", nil, c.t("cli.flag.probe-allow"))
	f.StringArrayVar(&anchors, "anchor", nil, c.t("cli.flag.probe-anchor"))
	f.StringArrayVar(&folders, "logs", nil, c.t("cli.flag.probe-logs"))
	f.StringVar(&folder, "secrets", "", c.t("cli.flag.probe-secrets"))
	f.StringVar(&prefix, "secrets-prefix", secret.DefaultPrefix, c.t("cli.flag.probe-prefix"))
	f.StringVar(&mark, "mark", "", c.t("cli.flag.probe-mark"))
	return cmd
}
