package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/durable"
	"holdfast/internal/plan"
)

func planFilesAt(ctx context.Context, node *controlapi.Client, service string, version int64) (controlapi.PlanFiles, error) {
	f, _, err := controlapi.Get[controlapi.PlanFiles](ctx, node, planPath(service, "versions", strconv.FormatInt(version, 10), "files"), nil)
	return f, err
}

func (c *cli) planExportCommand() *cobra.Command {
	var version int64
	var dir string
	var force bool
	cmd := c.command("export SERVICE [--version N] [--to DIR]", "plan-export", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		f, err := planFilesAt(cmd.Context(), node, args[0], version)
		if err != nil {
			return err
		}
		written, err := exportPlan(f, dir, force)
		if err != nil {
			return err
		}
		return c.show(written, func() {
			for _, file := range written {
				c.say("cli.plan-export.done", "file", file, "version", f.Version)
			}
		})
	})
	cmd.Flags().Int64Var(&version, "version", 0, c.t("cli.flag.plan-version"))
	cmd.Flags().StringVar(&dir, "to", "plans", c.t("cli.flag.plans-dir"))
	cmd.Flags().BoolVar(&force, "force", false, c.t("cli.flag.plan-force"))
	return cmd
}

// exportPlan writes a version's files into a folder, byte for byte, and beside
// them which version they are. What somebody may still be writing stays as it is
// unless they say otherwise; a name that leads outside the folder is never written.
func exportPlan(f controlapi.PlanFiles, dir string, force bool) (written []string, err error) {
	if f.Service == "" || f.Service != filepath.Base(f.Service) || f.Service[0] == '.' {
		return nil, invalid("cli.invalid.plan-name", "file", f.Service)
	}
	names := []string{f.Service + ".yaml"}
	texts := map[string]string{names[0]: f.Plan}
	add := func(name, text string) {
		names = append(names, name)
		texts[name] = text
	}
	if f.Tech != "" {
		add(plan.TechName(names[0]), f.Tech)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Files)) {
		if !filepath.IsLocal(name) {
			return nil, invalid("cli.invalid.plan-name", "file", name)
		}
		add(name, f.Files[name])
	}
	same := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(dir, name)
		old, err := os.ReadFile(path) // #nosec G304 -- in the folder that was named
		same[name] = err == nil && string(old) == texts[name]
		if err == nil && !same[name] && !force {
			return nil, invalid("cli.invalid.plan-differs", "file", path)
		}
	}
	if gone := filepath.Join(dir, plan.TechName(names[0])); f.Tech == "" && exists(gone) {
		return nil, invalid("cli.invalid.plan-tech-left", "file", gone)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o750)
		if err == nil && !same[name] {
			err = durable.Replace(path, []byte(texts[name]))
		}
		if err != nil {
			return nil, invalid("cli.invalid.write", "file", path, "cause", err.Error())
		}
		written = append(written, path)
	}
	if f.State == continuity.PlanDraft {
		return written, nil // it is no base of anything
	}
	return written, writePlanBase(dir, planBase{Service: f.Service, Version: f.Version, Hash: f.Hash})
}
