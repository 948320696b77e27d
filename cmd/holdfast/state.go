package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/control"
	"holdfast/internal/controlconfig"
	"holdfast/internal/store"
)

func (c *cli) stateCommand() *cobra.Command {
	cmd := c.onNode(c.group("state", "state"))
	cmd.AddCommand(c.stateExportCommand(), c.stateRestoreCommand())
	return cmd
}

func (c *cli) stateExportCommand() *cobra.Command {
	offline, force := false, false
	cmd := c.command("export <file>", "state.export", exactly(1), func(cmd *cobra.Command, args []string) error {
		write := c.exportFromNode
		if offline {
			write = c.exportFromDatabase
		}
		if args[0] == "-" {
			return write(cmd.Context(), c.out)
		}
		if exists(args[0]) && !force {
			return invalid("cli.invalid.there", "file", args[0])
		}
		if err := whole(args[0], force, func(w io.Writer) error { return write(cmd.Context(), w) }); err != nil {
			return err
		}
		c.warnOnly("cli.state.export.done", "file", args[0])
		return nil
	})
	cmd.Flags().BoolVar(&force, "force", false, c.t("cli.flag.overwrite"))
	cmd.Flags().BoolVar(&offline, "offline", false, c.t("cli.flag.state-offline"))
	return cmd
}

// warnOnly tells a person something that is no part of the output.
func (c *cli) warnOnly(id string, pairs ...any) {
	if !c.json {
		_, _ = io.WriteString(c.err, c.t(id, pairs...)+"\n")
	}
}

func (c *cli) exportFromNode(ctx context.Context, to io.Writer) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	from, err := node.Open(ctx, "/state", nil)
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := io.Copy(to, from); err != nil {
		return continuity.E(continuity.CodeArchive, err, "step", "end")
	}
	return nil
}

func (c *cli) exportFromDatabase(ctx context.Context, to io.Writer) (err error) {
	settings, err := c.controlSettings()
	if err != nil {
		return err
	}
	return atDatabase(ctx, settings, func(s *store.Store) error { return s.Export(ctx, to) })
}

// atDatabase opens the database that the settings name.
func atDatabase(ctx context.Context, settings controlconfig.Control, do func(*store.Store) error) (err error) {
	if err := makeData(settings); err != nil {
		return err
	}
	dsn, err := settings.DSN()
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(s)
}

func makeData(settings controlconfig.Control) error {
	if err := os.MkdirAll(settings.Data, 0o700); err != nil {
		return continuity.E(continuity.CodeConfig, err, "unreadable", settings.Data, "cause", err.Error())
	}
	return nil
}

func (c *cli) stateRestoreCommand() *cobra.Command {
	return c.command("restore <file>", "state.restore", exactly(1), func(cmd *cobra.Command, args []string) error {
		in := c.in
		if args[0] != "-" {
			f, err := os.Open(args[0]) // #nosec G304 -- the operator names the file
			if err != nil {
				name := "unreadable"
				if errors.Is(err, fs.ErrNotExist) {
					name = "missing-archive"
				}
				return invalid("cli.invalid.archive", "file", args[0], "why", name)
			}
			defer f.Close()
			in = f
		}
		events, err := c.restoreDatabase(cmd.Context(), bufio.NewReaderSize(in, 1<<20))
		if err != nil {
			return err
		}
		return c.show(map[string]int64{"events": events}, func() { c.say("cli.state.restore.done", "n", events) })
	})
}

// restoreDatabase fills the database of a node that does not run.
func (c *cli) restoreDatabase(ctx context.Context, from io.Reader) (events int64, err error) {
	settings, err := c.controlSettings()
	if err != nil {
		return 0, err
	}
	if err := makeData(settings); err != nil {
		return 0, err
	}
	err = control.Alone(settings.Data, func() error {
		return atDatabase(ctx, settings, func(s *store.Store) error {
			if err := s.Restore(ctx, from); err != nil {
				return aboutDatabase(err, settings)
			}
			events, _, err = s.LastEvent(ctx)
			return err
		})
	})
	return events, err
}

// aboutDatabase adds the file of the database to what can't be done with it.
func aboutDatabase(err error, settings controlconfig.Control) error {
	var e *continuity.Error
	if errors.As(err, &e) && e.Code == continuity.CodeState && settings.Database == nil {
		e.Args["file"] = settings.DatabaseFile()
	}
	return err
}

// whole writes a file that is there whole or not at all, readable by its owner
// only. Without replace, one that is there stays.
func whole(path string, replace bool, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".holdfast-*")
	if err != nil {
		return invalid("cli.invalid.archive", "file", path, "why", "unwritable")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	out := bufio.NewWriterSize(f, 1<<20)
	if err = write(out); err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil && !replace {
		linked := os.Link(f.Name(), path)
		if linked == nil {
			return os.Remove(f.Name())
		}
		if errors.Is(linked, fs.ErrExist) { // made since this began
			err = invalid("cli.invalid.there", "file", path)
		} // else there are no links here
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
