package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/control"
	"holdfast/internal/controlapi"
	"holdfast/internal/controlconfig"
	"holdfast/internal/endpoint"
	"holdfast/internal/yamldoc"
)

// packagedControl is where the Debian package keeps the control node's settings.
const packagedControl = "/etc/holdfast/control.yaml"

// whereControl says which control node is meant, as far as flags and environment
// tell.
type whereControl struct{ address, data string }

// onNode gives a command the flags that say which control node is meant. What it
// does calls connectControl.
func (c *cli) onNode(cmd *cobra.Command) *cobra.Command {
	f := cmd.PersistentFlags()
	f.StringVar(&c.control.address, "control", c.env("HOLDFAST_CONTROL"), c.t("cli.flag.control"))
	f.StringVar(&c.control.data, "data", "", c.t("cli.flag.control-data"))
	f.Lookup("control").DefValue = "" // its text says where the default comes from
	return cmd
}

func (c *cli) controlCommand() *cobra.Command {
	listen := ""
	cmd := c.command("control", "control", exactly(0), func(cmd *cobra.Command, _ []string) error {
		return c.runControl(cmd.Context(), listen)
	})
	c.logFlag(cmd)
	cmd.Flags().StringVar(&listen, "listen", "", c.t("cli.flag.control-listen"))
	cmd.Flags().StringVar(&c.control.data, "data", "", c.t("cli.flag.control-data"))
	cmd.AddCommand(c.controlCheckCommand(), c.controlSchemaCommand())
	return cmd
}

// controlData is the data folder that is named beside the settings; empty: none
// is. A variable that was set long ago doesn't lead away from a file named now.
func (c *cli) controlData() string {
	if c.control.data == "" && c.where.config == "" {
		return c.env("HOLDFAST_CONTROL_DATA")
	}
	return c.control.data
}

// controlFile is the control node's settings file that is meant; empty: there is
// none, and none is needed.
func (c *cli) controlFile() string {
	if c.where.config != "" {
		return c.where.config
	}
	for _, file := range []string{filepath.Join(c.where.dir, "control.yaml"), packagedControl} {
		if exists(file) && (c.controlData() == "" || file != packagedControl) {
			return file
		}
	}
	return ""
}

// controlSettings are those of the file, or the defaults; a data folder that is
// named beside them wins.
func (c *cli) controlSettings() (controlconfig.Control, error) {
	file, data := c.controlFile(), c.controlData()
	if file == "" {
		return controlconfig.Default(filepath.Join(c.where.dir, data))
	}
	settings, problems, err := controlconfig.Load(file)
	if continuity.CodeOf(err) == continuity.CodeConfig && len(problems) > 0 {
		c.explainControl(file, problems)
	}
	if err == nil && data != "" {
		settings.Data, err = filepath.Abs(data)
	}
	return settings, err
}

// runControl runs a control node in the foreground.
func (c *cli) runControl(ctx context.Context, listen string) error {
	if c.env("GOGC") == "" {
		// A node lives long and computes little: it had rather collect more often
		// than hold twice what it needs.
		debug.SetGCPercent(50)
	}
	logger, err := c.logger()
	if err != nil {
		return err
	}
	settings, err := c.controlSettings()
	if err != nil {
		return err
	}
	if listen != "" {
		settings.Listen = listen
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	node, err := control.New(control.Options{Config: settings, Version: version, Logger: logger, Journals: journals{}})
	if err != nil {
		return err
	}
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a signal while starting breaks it off
		select {
		case s := <-signals:
			cancel()
			signals <- s
		case <-starting.Done():
		}
	}()
	if err := node.Start(starting); err != nil {
		return err
	}
	var failed error
	select {
	case <-starting.Done():
	case failed = <-node.Failed():
	}
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), control.StopWithin)
	defer done()
	if err := node.Stop(stopping); failed == nil {
		return err
	}
	return failed
}

func (c *cli) controlCheckCommand() *cobra.Command {
	return c.command("check [file]", "control.check", atMost(1), func(_ *cobra.Command, args []string) error {
		file := c.controlFile()
		if len(args) == 1 {
			file = args[0]
		}
		if file == "" {
			file = "control.yaml"
		}
		_, problems, err := controlconfig.Load(file)
		if len(problems) > 0 {
			c.explainControl(file, problems)
		}
		if err == nil && !c.json {
			c.say("cli.control.check.ok", "file", file)
		}
		return err
	})
}

func (c *cli) controlSchemaCommand() *cobra.Command {
	return c.command("schema", "control.schema", exactly(0), func(*cobra.Command, []string) error {
		_, err := c.out.Write(append(controlconfig.Schema(c.lang), '\n'))
		return err
	})
}

// explainControl shows what is wrong with a settings file.
func (c *cli) explainControl(file string, problems []yamldoc.Problem) {
	if c.json {
		_ = yamldoc.WriteJSON(c.out, c.lang, problems)
		return
	}
	src, err := controlconfig.Read(file)
	if err != nil {
		return // the error itself says so
	}
	_ = yamldoc.Render(c.err, c.lang, src, problems)
}

// connectControl finds the control node: the one that --control or
// HOLDFAST_CONTROL names, or the one that runs on the data folder of this
// machine's settings.
func (c *cli) connectControl() (*controlapi.Client, error) {
	at, err := c.findControl()
	if err != nil {
		return nil, err
	}
	token, err := c.controlToken(at)
	if err != nil {
		return nil, err
	}
	return controlapi.NewClient(at.address, token, c.person, c.lang, at.roots), nil
}

// meantService is the error of a list of a service's: nothing was found, and there
// is no such service at all.
func meantService(ctx context.Context, node *controlapi.Client, service string, found int, err error) error {
	if err != nil || service == "" || found > 0 {
		return err
	}
	if _, _, err = controlapi.Get[controlapi.PlanShown](ctx, node, planPath(service), nil); continuity.CodeOf(err) == continuity.CodeNotFound {
		return err
	}
	return nil // the token may have no leave to ask
}

// controlPlace is where a control node is.
type controlPlace struct {
	address string
	own     string // the file of the node's own token, where it is on this machine
	roots   *x509.CertPool
}

func (c *cli) findControl() (at controlPlace, err error) {
	at.address = c.control.address
	if at.address == "" {
		settings, err := c.controlSettings()
		if err != nil {
			return at, err
		}
		left, err := endpoint.Read(settings.Data, endpoint.Control)
		if err != nil {
			return at, err
		}
		at.address, at.own = left.Address, left.TokenFile
		if settings.TLS != nil {
			if at.roots, err = ownRoots(settings.TLS.Cert); err != nil {
				return at, err
			}
		}
	}
	own, err := c.controlRoots()
	if own != nil {
		at.roots = own
	}
	return at, err
}

// controlToken is what the command shows the node: what was named, the session
// that was opened by login, or the node's own token.
func (c *cli) controlToken(at controlPlace) (string, error) {
	file := c.where.tokenFile
	if file == "" {
		file = c.env("HOLDFAST_CONTROL_TOKEN_FILE")
	}
	if token := c.env("HOLDFAST_CONTROL_TOKEN"); token != "" && file == "" {
		return token, nil
	}
	if session := c.sessionFile(at); file == "" && exists(session) {
		file = session
	}
	if file == "" {
		file = at.own
		c.warnOwn(at)
	}
	token, err := endpoint.ReadToken(file)
	if err != nil {
		return "", noToken(file, err)
	}
	return token, nil
}

// warnOwn warns whoever logged out, or is logged in, but not to the node at this address:
// what they do is done by the node's own token, and written down as that.
func (c *cli) warnOwn(at controlPlace) {
	session := c.sessionFile(at)
	if at.own == "" || session == "" {
		return
	}
	if exists(session + loggedOut) {
		c.warn("cli.control.logged-out", "name", cmp.Or(c.person, "admin"))
		return
	}
	others, err := os.ReadDir(filepath.Dir(session))
	if err == nil && slices.ContainsFunc(others, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) != loggedOut }) {
		c.warn("cli.control.own-token", "address", at.address, "name", cmp.Or(c.person, "admin"))
	}
}

// noToken says why a token's file is of no use.
func noToken(file string, err error) error {
	why, mode := "empty", ""
	info, unseen := os.Stat(file) // #nosec G703 -- the operator names the file
	switch {
	case file == "":
		why = "none"
	case errors.Is(err, fs.ErrNotExist):
		why = "missing"
	case errors.Is(err, fs.ErrPermission):
		why = "unreadable"
	case unseen == nil && info.Mode().Perm()&0o077 != 0:
		why, mode = "mode", fmt.Sprintf("%04o", info.Mode().Perm())
	}
	return continuity.E(continuity.CodeForbidden, err, "control", true, "token", why, "token_file", file, "mode", mode)
}

// controlRoots are those of HOLDFAST_CONTROL_CA; nil: it names none.
func (c *cli) controlRoots() (*x509.CertPool, error) {
	if file := c.env("HOLDFAST_CONTROL_CA"); file != "" {
		return ownRoots(file)
	}
	return nil, nil
}

// ownRoots are the machine's authorities and those of a file.
func ownRoots(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pem, err := os.ReadFile(file) // #nosec G304 G703 -- the operator names the file
	if err != nil {
		return nil, continuity.E(continuity.CodeConfig, err, "unreadable", file, "cause", err.Error())
	}
	pool.AppendCertsFromPEM(pem)
	return pool, nil
}
