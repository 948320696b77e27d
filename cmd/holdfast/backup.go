package main

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/backupkey"
)

func (c *cli) backupCommand() *cobra.Command {
	cmd := c.group("backup", "backup")
	cmd.AddCommand(
		c.backupRunCommand(), c.backupListCommand(), c.backupShowCommand(), c.backupVerifyCommand(), c.backupRestoreCommand(), c.backupPruneCommand(),
		c.backupKeysCommand(), c.backupSetCommand(),
	)
	return cmd
}

// ringFlags say where the keys of backups are, and what closes them.
type ringFlags struct {
	file       string
	passphrase string // file
	guard      string // file
}

func (c *cli) addRing(cmd *cobra.Command) *ringFlags {
	r := &ringFlags{}
	f := cmd.Flags()
	f.StringVar(&r.file, "key-file", c.env("HOLDFAST_BACKUP_KEY_FILE"), c.t("cli.flag.backup-key-file"))
	f.Lookup("key-file").DefValue = ""
	f.StringVar(&r.passphrase, "passphrase-file", "", c.t("cli.flag.backup-passphrase-file"))
	f.StringVar(&r.guard, "guard-file", "", c.t("cli.flag.backup-guard-file"))
	return r
}

// guard is what closes a ring: what the flags name, or the passphrase of whoever sits at
// the terminal if the ring wants one.
func (c *cli) guard(r *ringFlags) (backupkey.Guard, error) {
	if r.file == "" {
		return backupkey.Guard{}, invalid("backup.invalid.key-file")
	}
	g, err := guardOf(r.passphrase, r.guard)
	if err != nil || r.passphrase != "" || r.guard != "" || !terminal(c.in) {
		return g, err
	}
	raw, err := backupkey.ReadFile(r.file)
	if err != nil {
		return g, err
	}
	if kind, err := backupkey.GuardOf(raw); err != nil || kind != backupkey.GuardPassphrase {
		return g, err
	}
	g.Passphrase, err = c.newSecrets().read("backup.ask.passphrase", "file", r.file)
	return g, err
}

func guardOf(passphrase, guard string) (backupkey.Guard, error) {
	var g backupkey.Guard
	switch {
	case passphrase != "" && guard != "":
		return g, invalid("backup.invalid.guards")
	case passphrase != "":
		raw, err := secretFile(passphrase)
		g.Passphrase = strings.TrimRight(string(raw), "\r\n")
		return g, err
	case guard != "":
		raw, err := secretFile(guard)
		if err != nil {
			return g, err
		}
		g.Key, err = backupkey.ReadKey(bytes.TrimSpace(raw))
		return g, err
	}
	return g, nil
}

// secretFile reads a file with a secret that is no ring of keys.
func secretFile(name string) ([]byte, error) {
	raw, err := backupkey.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, invalid("backup.invalid.no-file", "file", name)
	}
	return raw, err
}

func (c *cli) ring(r *ringFlags) (*backupkey.Ring, error) {
	g, err := c.guard(r)
	if err != nil {
		return nil, err
	}
	return backupkey.Load(r.file, g)
}
