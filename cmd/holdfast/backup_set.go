package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/backup"
	"holdfast/internal/backup/drivers"
	"holdfast/internal/backup/engine"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/sensitive"
	"holdfast/internal/target"
	"holdfast/internal/target/open"
)

// backupFlags say of a command which set it is about, where backups lie, and how they are
// opened.
type backupFlags struct {
	ring        *ringFlags
	places      []string
	credentials []string // PLACE=FILE, or a file for the only place that needs one
	removing    []string // the same, of an identity that may remove
	service     string
	set         string
	scratch     string
	source      sourceFlags
	queries     []string
}

// sourceFlags say what a set is of.
type sourceFlags struct {
	kind    string
	dsnFile string
	dsnEnv  string
	path    string
	tables  []string
	spool   string
	stanza  string
	follow  bool
}

// addBackup adds the flags of every command about what lies on targets; word is how they
// are named: from, or to.
func (c *cli) addBackup(cmd *cobra.Command, word string) *backupFlags {
	b := &backupFlags{ring: c.addRing(cmd)}
	f := cmd.Flags()
	f.StringArrayVar(&b.places, word, nil, c.t("cli.flag.backup-"+word))
	f.StringArrayVar(&b.credentials, "credentials-file", nil, c.t("cli.flag.backup-credentials-file"))
	f.StringVar(&b.service, "service", "", c.t("cli.flag.backup-service"))
	f.StringVar(&b.set, "set", "", c.t("cli.flag.backup-set"))
	return b
}

func (c *cli) addSource(cmd *cobra.Command, b *backupFlags) {
	f := cmd.Flags()
	f.StringVar(&b.source.kind, "kind", "", c.t("cli.flag.backup-kind"))
	f.StringVar(&b.source.dsnFile, "dsn-file", "", c.t("cli.flag.backup-dsn-file"))
	f.StringVar(&b.source.dsnEnv, "dsn-env", "", c.t("cli.flag.backup-dsn-env"))
	f.StringVar(&b.source.path, "path", "", c.t("cli.flag.backup-path"))
	f.StringSliceVar(&b.source.tables, "table", nil, c.t("cli.flag.backup-table"))
	f.StringVar(&b.source.spool, "spool", "", c.t("cli.flag.backup-spool"))
	f.StringVar(&b.source.stanza, "stanza", "", c.t("cli.flag.backup-stanza"))
	c.addQueries(cmd, b)
}

func (c *cli) addQueries(cmd *cobra.Command, b *backupFlags) {
	cmd.Flags().StringArrayVar(&b.queries, "query", nil, c.t("cli.flag.backup-query"))
}

func (c *cli) addScratch(cmd *cobra.Command, b *backupFlags) {
	cmd.Flags().StringVar(&b.scratch, "scratch", "", c.t("cli.flag.backup-scratch"))
}

// open makes the engine that the flags describe, with its targets.
func (c *cli) openBackups(ctx context.Context, b *backupFlags) (*engine.Engine, error) {
	if len(b.places) == 0 {
		return nil, invalid("backup.invalid.places")
	}
	ring, err := c.ring(b.ring)
	if err != nil {
		return nil, err
	}
	return c.engineOf(ctx, b, ring)
}

func (c *cli) engineOf(ctx context.Context, b *backupFlags, ring *backupkey.Ring) (*engine.Engine, error) {
	o := engine.Options{Ring: ring, Scratch: b.scratch, Version: version, Log: c.warnings()}
	given := b.credentials
	if file := c.env("HOLDFAST_BACKUP_CREDENTIALS_FILE"); len(given) == 0 && file != "" {
		given = []string{file}
	}
	secrets, err := readCredentials("credentials-file", given, b.places)
	if err != nil {
		return nil, err
	}
	removing, err := readCredentials("prune-credentials-file", b.removing, b.places)
	if err != nil {
		return nil, err
	}
	some := false
	var away error
	for _, url := range b.places {
		opened, err := openTarget(ctx, url, secrets[url])
		if ctx.Err() != nil || continuity.CodeOf(err) == continuity.CodeInvalid {
			return nil, err
		}
		var at engine.Place = opened
		if err != nil { // it fails by itself, not the others
			at, away = open.Later(func(context.Context) (target.Target, error) { return nil, err }), err
		} else {
			some = true
		}
		t := engine.Target{Name: url, At: at}
		if secret, other := removing[url]; other {
			t.Prune = open.Later(func(ctx context.Context) (target.Target, error) { return openTarget(ctx, url, secret) })
		}
		o.Targets = append(o.Targets, t)
	}
	if !some && away != nil {
		return nil, away
	}
	return engine.New(o)
}

// oneSet is the set that the flags name, or the only one that there is.
func (c *cli) oneSet(ctx context.Context, e *engine.Engine, b *backupFlags) (engine.Set, error) {
	queries, err := queriesOf(b.queries)
	if err != nil {
		return engine.Set{}, err
	}
	set := engine.Set{Service: b.service, ID: b.set, Queries: queries, Tables: b.source.tables}
	if set.Service != "" && set.ID != "" {
		return set, nil
	}
	found, err := e.Sets(ctx)
	if err != nil {
		return set, err
	}
	var fits []engine.Set
	var names []string
	for _, s := range found {
		names = append(names, s.Folder())
		if (b.service == "" || b.service == s.Service) && (b.set == "" || b.set == s.ID) {
			fits = append(fits, s)
		}
	}
	if len(fits) != 1 {
		return set, invalid("backup.invalid.which-set", "n", len(fits), "sets", strings.Join(names, ", "))
	}
	set.Service, set.ID = fits[0].Service, fits[0].ID
	return set, nil
}

// otherKeys says that nothing of a set was sealed by the keys at hand.
func otherKeys(set engine.Set, file string) error {
	return continuity.E(continuity.CodeNoKey, nil, "detail_id", "backup.other-keys", "set", set.ID, "file", file)
}

// withDriver gives a set the driver of its kind, which is told or stands in manifests.
func (c *cli) withDriver(set *engine.Set, b *backupFlags, listings []engine.Listing) error {
	set.Kind = b.source.kind
	for _, l := range listings {
		for _, p := range l.Pieces {
			if set.Kind == "" {
				set.Kind = p.Driver
			}
		}
	}
	if set.Kind == "" {
		return invalid("backup.invalid.no-kind", "kinds", strings.Join(drivers.Kinds(), ", "))
	}
	dsn, err := dsnOf(&b.source, c.env)
	if err != nil {
		return err
	}
	queries := set.Queries
	set.Queries = drivers.Checks(set.Kind, queries)
	set.Driver, err = drivers.New(set.Kind, drivers.Options{
		Service: set.Service, Set: set.ID, DSN: dsn, Path: b.source.path, Spool: b.source.spool, Stanza: b.source.stanza, Follow: b.source.follow, Log: c.warnings(),
		Queries: queries, State: c.ownState(b.scratch), Journal: journals{},
	})
	return err
}

// warnings logs what goes wrong beside the point.
func (c *cli) warnings() *slog.Logger {
	return slog.New(sensitive.NewHandler(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withUnits})))
}

// dsnOf reads the address of a database, which has a password in it as often as not.
func dsnOf(s *sourceFlags, env func(string) string) (string, error) {
	switch {
	case s.dsnFile != "" && s.dsnEnv != "":
		return "", invalid("backup.invalid.dsn")
	case s.dsnFile != "":
		raw, err := secretFile(s.dsnFile)
		return strings.TrimSpace(string(raw)), err
	case s.dsnEnv != "":
		if v := env(s.dsnEnv); v != "" {
			return v, nil
		}
		return "", invalid("backup.invalid.dsn-env", "name", s.dsnEnv)
	}
	return "", nil
}

// defaultSpool is where a driver keeps what it knows between runs, if nothing is said.
func (c *cli) defaultSpool(set engine.Set) string {
	state := c.env("XDG_STATE_HOME")
	if state == "" {
		state = filepath.Join(c.env("HOME"), ".local", "state")
	}
	if os.Geteuid() == 0 {
		state = "/var/lib"
	}
	return filepath.Join(state, "holdfast", "backup", set.Service, set.ID)
}

// queriesOf reads ID=SQL.
func queriesOf(texts []string) ([]backup.Query, error) {
	var all []backup.Query
	for _, text := range texts {
		id, sql, ok := strings.Cut(text, "=")
		if !ok || strings.TrimSpace(id) == "" || strings.TrimSpace(sql) == "" {
			return nil, invalid("backup.invalid.query", "query", text)
		}
		all = append(all, backup.Query{ID: strings.TrimSpace(id), SQL: sql})
	}
	return all, nil
}

// whenOf reads a moment, which is of this machine's zone unless it says another; none is
// the newest.
func whenOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return laterMoment(text)
}
