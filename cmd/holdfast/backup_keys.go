package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/backupkey"
)

func (c *cli) backupKeysCommand() *cobra.Command {
	cmd := c.group("keys", "backup.keys")
	cmd.AddCommand(
		c.backupKeysNew(), c.backupKeysList(), c.backupKeysRotate(), c.backupKeysRetire(), c.backupKeysExport(), c.backupKeysGuard(),
	)
	return cmd
}

type ringDoc struct {
	File string          `json:"file"`
	Keys []backupkey.Key `json:"keys"`
}

func (c *cli) showRing(file string, ring *backupkey.Ring, said string) error {
	return c.show(ringDoc{file, ring.Keys()}, func() {
		if said != "" {
			c.warnOnly(said, "file", file, "key", ring.Current())
		}
		t := table{head: c.heads("key", "made-at", "current")}
		for _, k := range ring.Keys() {
			current := ""
			if k.Current {
				current = c.t("backup.keys.current")
			}
			t.add(k.ID, clock(k.Made), current)
		}
		c.table(t)
	})
}

func (c *cli) backupKeysNew() *cobra.Command {
	cmd := c.command("new", "backup.keys.new", exactly(0), nil)
	flags := c.addRing(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if flags.file == "" {
			return invalid("backup.invalid.key-file")
		}
		g, err := guardOf(flags.passphrase, flags.guard)
		if err != nil {
			return err
		}
		ring, err := backupkey.Create(flags.file, g, time.Now())
		if err != nil {
			return err
		}
		if flags.passphrase == "" && flags.guard == "" {
			c.warn("backup.keys.plain", "file", flags.file)
		}
		return c.showRing(flags.file, ring, "backup.keys.made")
	}
	return cmd
}

func (c *cli) backupKeysList() *cobra.Command {
	cmd := c.command("list", "backup.keys.list", exactly(0), nil)
	flags := c.addRing(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		ring, err := c.ring(flags)
		if err != nil {
			return err
		}
		return c.showRing(flags.file, ring, "")
	}
	return cmd
}

func (c *cli) backupKeysRotate() *cobra.Command {
	cmd := c.command("rotate", "backup.keys.rotate", exactly(0), nil)
	flags := c.addRing(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.editRing(flags, "backup.keys.rotated", func(r *backupkey.Ring) error {
			_, err := r.Rotate(time.Now())
			return err
		})
	}
	return cmd
}

func (c *cli) backupKeysRetire() *cobra.Command {
	cmd := c.command("retire <key>", "backup.keys.retire", exactly(1), nil)
	flags := c.addRing(cmd)
	yes := cmd.Flags().Bool("yes", false, c.t("cli.flag.yes"))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := c.confirm(*yes, "backup.keys.confirm-retire", "key", args[0]); err != nil {
			return err
		}
		return c.editRing(flags, "backup.keys.retired", func(r *backupkey.Ring) error { return r.Retire(args[0]) })
	}
	return cmd
}

func (c *cli) editRing(flags *ringFlags, said string, change func(*backupkey.Ring) error) error {
	g, err := c.guard(flags)
	if err != nil {
		return err
	}
	var changed *backupkey.Ring
	err = backupkey.Edit(flags.file, g, func(r *backupkey.Ring) error {
		changed = r
		return change(r)
	})
	if err != nil {
		return err
	}
	return c.showRing(flags.file, changed, said)
}

func (c *cli) backupKeysExport() *cobra.Command {
	cmd := c.command("export <file>", "backup.keys.export", exactly(1), nil)
	flags := c.addRing(cmd)
	var ids []string
	var passphrase, guard string
	f := cmd.Flags()
	f.StringSliceVar(&ids, "key", nil, c.t("cli.flag.backup-export-key"))
	f.StringVar(&passphrase, "new-passphrase-file", "", c.t("cli.flag.backup-new-passphrase-file"))
	f.StringVar(&guard, "new-guard-file", "", c.t("cli.flag.backup-new-guard-file"))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		ring, err := c.ring(flags)
		if err != nil {
			return err
		}
		g, err := guardOf(passphrase, guard)
		if err != nil {
			return err
		}
		raw, err := ring.Marshal(g, ids...)
		if err == nil {
			err = backupkey.WriteNew(args[0], raw)
		}
		if err != nil {
			return err
		}
		exported, err := backupkey.Unmarshal(raw, g)
		if err != nil {
			return err
		}
		return c.showRing(args[0], exported, "backup.keys.exported")
	}
	return cmd
}

func (c *cli) backupKeysGuard() *cobra.Command {
	return c.command("guard <file>", "backup.keys.guard", exactly(1), func(_ *cobra.Command, args []string) error {
		raw, err := backupkey.NewKey()
		if err == nil {
			err = backupkey.WriteNew(args[0], raw)
		}
		if err != nil {
			return err
		}
		return c.show(struct {
			File string `json:"file"`
		}{args[0]}, func() { c.say("backup.keys.guarded", "file", args[0]) })
	})
}
