package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/problem"
	"holdfast/internal/sensitive"
)

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// cli is what every command has at hand.
type cli struct {
	streams
	env     func(string) string
	lang    catalogue.Lang
	where   where        // the relay that is meant
	control whereControl // the control node that is meant

	json     bool
	person   string
	logLevel string
	reported bool // the error was printed already
	told     bool // its fields were, each with the line that it is in
}

// run is the whole program.
func run(ctx context.Context, args []string, s streams, env func(string) string) int {
	c := &cli{streams: s, env: env, lang: language(args, env)}
	root := c.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !c.reported {
		c.report(cmd, err)
	}
	return exitStatus(err)
}

// language has to be known before the help texts are made, so --lang is looked
// for by hand.
func language(args []string, env func(string) string) catalogue.Lang {
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--lang="); ok {
			return catalogue.FromEnv(v)
		}
		if a == "--lang" && i+1 < len(args) {
			return catalogue.FromEnv(args[i+1])
		}
	}
	return catalogue.FromEnv(env("LC_ALL"), env("LC_MESSAGES"), env("LANG"))
}

func (c *cli) t(id string, pairs ...any) string {
	args := catalogue.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return catalogue.Text(c.lang, id, args)
}

func (c *cli) say(id string, pairs ...any) { fmt.Fprintln(c.out, c.t(id, pairs...)) }

func (c *cli) warn(id string, pairs ...any) {
	fmt.Fprintln(c.err, c.t("cli.label.warning")+c.t(id, pairs...))
}

// report tells a person, or with --json a program, what went wrong.
func (c *cli) report(cmd *cobra.Command, err error) {
	switch err.(type) {
	case findings, ended:
		return
	}
	doc := problem.Of(err, c.lang)
	if c.json {
		fmt.Fprintf(c.err, "%s\n", doc.JSON())
		return
	}
	title := doc.Title
	if flag := reasonFlag(cmd, doc.Args); flag != "" {
		title = c.t("cli.label.with-flag", "text", title, "flag", flag)
	}
	fmt.Fprintln(c.err, c.t("cli.label.error")+title)
	if !c.told {
		for _, f := range controlapi.Fields(err) {
			fmt.Fprintln(c.err, "  "+place(cmd, f))
		}
	}
	if cause := err.Error(); cause != string(doc.Code) && (doc.Code == continuity.CodeInternal || doc.Code == continuity.CodeNoKey || doc.Code == continuity.CodeDamaged) {
		fmt.Fprintln(c.err, "  "+cause) // there is no log to look into
	}
}

// invalid is a mistake in what was typed.
func invalid(id string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{problem.DetailID, id}, pairs...)...)
}

// show prints v as JSON where that was asked for, and leaves it to human else.
func (c *cli) show(v any, human func()) error {
	if !c.json {
		human()
		return nil
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (c *cli) root() *cobra.Command {
	root := c.group("holdfast", "root")
	help := root.RunE
	versionToo := root.Flags().Bool("version", false, c.t("cli.version.short"))
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *versionToo && len(args) == 0 {
			return c.showVersion()
		}
		return help(cmd, args)
	}
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.CompletionOptions.DisableDefaultCmd = true // c.completionCommand speaks both languages
	c.localise(root)

	f := root.PersistentFlags()
	f.Var((*speech)(&c.lang), "lang", c.t("cli.flag.lang"))
	f.BoolVar(&c.json, "json", false, c.t("cli.flag.json"))
	f.StringVar(&c.person, "person", c.defaultPerson(), c.t("cli.flag.person"))
	f.StringVar(&c.where.dir, "dir", c.env("HOLDFAST_DIR"), c.t("cli.flag.dir"))
	f.StringVar(&c.where.config, "config", "", c.t("cli.flag.config"))
	f.StringVar(&c.where.admin, "admin", c.env("HOLDFAST_ADMIN"), c.t("cli.flag.admin"))
	f.StringVar(&c.where.tokenFile, "token-file", c.env("HOLDFAST_TOKEN_FILE"), c.t("cli.flag.token-file"))
	for _, name := range []string{"person", "dir", "admin", "token-file"} {
		f.Lookup(name).DefValue = "" // their texts say where the default comes from
	}
	f.BoolP("help", "h", false, c.t("cli.flag.help"))

	for _, g := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{"relay", []*cobra.Command{
			c.relayCommand(), c.statusCommand(), c.modeCommand(), c.blockCommand(), c.drainCommand(), c.backlogCommand(), c.receiptCommand(), c.deadCommand(),
			c.reconcileCommand(), c.replayCommand(), c.admissionCommand(), c.journalCommand(), c.keysCommand(), c.privacyCommand(), c.doctorCommand(), c.serveCommand(),
		}},
		{"plans", []*cobra.Command{c.planCommand(), c.peopleCommand(), c.groupCommand(), c.oncallCommand(), c.calendarCommand()}},
		{"watching", []*cobra.Command{
			c.checksCommand(), c.heartbeatCommand(), c.warningCommand(), c.signalCommand(), c.noticeCommand(), c.measureCommand(),
			c.channelCommand(),
			c.notifyCommand(), c.silenceCommand(),
			c.windowCommand(), c.exerciseCommand(),
		}},
		{"responding", []*cobra.Command{c.incidentCommand(), c.runCommand()}},
		{"keeping", []*cobra.Command{c.backupCommand(), c.restoreCommand(), c.upgradeCommand()}},
		{"node", []*cobra.Command{
			c.controlCommand(), c.probeCommand(), c.loginCommand(), c.logoutCommand(), c.userCommand(), c.tokenCommand(), c.eventCommand(), c.stateCommand(),
		}},
		{"program", []*cobra.Command{c.demoCommand(), c.completionCommand(), c.versionCommand(), c.exitHelp()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: c.t("cli.group." + g.id)})
		for _, cmd := range g.commands {
			cmd.GroupID = g.id
			root.AddCommand(cmd)
		}
	}
	c.completes(root)
	return root
}

func (c *cli) defaultPerson() string {
	for _, name := range []string{"HOLDFAST_PERSON", "SUDO_USER", "USER", "LOGNAME"} {
		if v := c.env(name); v != "" {
			return v
		}
	}
	return ""
}

// command makes a command whose texts stand in the catalogue under cli.ID.
func (c *cli) command(use, id string, args cobra.PositionalArgs, do func(*cobra.Command, []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Args: args, RunE: do,
		Short:   c.t("cli." + id + ".short"),
		Long:    c.t("cli." + id + ".long"),
		Example: indent(c.t("cli." + id + ".example")),
		// Not part of the grammar of any shell: prints [flags] in each usage line.
		DisableFlagsInUseLine: true,
	}
	return cmd
}

// group makes a command that only holds others: an unknown word under it is a
// mistake, not an argument.
func (c *cli) group(use, id string) *cobra.Command {
	return c.command(use, id, cobra.ArbitraryArgs, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args[0])
		}
		return cmd.Help()
	})
}

// unknown refuses a word that is no command, and names what may be meant.
func unknown(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	return invalid("cli.invalid.command", "name", name, "parent", cmd.CommandPath(), "meant", strings.Join(cmd.SuggestionsFor(name), ", "))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}

// exactly refuses any other number of arguments.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		return nil
	}
}

func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		return nil
	}
}

// logger logs as text to a terminal and as JSON to anything else.
func (c *cli) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return nil, invalid("cli.invalid.log-level", "value", c.logLevel)
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: withUnits}
	if terminal(c.err) {
		return slog.New(sensitive.NewHandler(slog.NewTextHandler(c.err, o))), nil
	}
	return slog.New(sensitive.NewHandler(slog.NewJSONHandler(c.err, o))), nil
}

// withUnits writes durations with their units, in JSON too.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
