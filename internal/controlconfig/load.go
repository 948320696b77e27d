package controlconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/secret"
	"holdfast/internal/yamldoc"
)

// Load reads a file. It returns complete settings, with the warnings about them,
// or none, with all problems and an error of CodeConfig.
func Load(path string) (Control, []yamldoc.Problem, error) {
	src, err := Read(path)
	if err != nil {
		return Control{}, nil, err
	}
	c, problems := Check(path, src)
	if c == nil {
		return Control{}, problems, continuity.E(continuity.CodeConfig, errors.New("controlconfig: the file has errors"))
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Control{}, nil, continuity.E(continuity.CodeConfig, err)
	}
	c.File = path
	c.resolve(dir)
	return *c, problems, nil
}

// Default is the settings of a node without a file, its data in a folder.
func Default(data string) (Control, error) {
	c, problems := Check("", []byte("schema: holdfast/control@1\n"))
	if c == nil {
		panic(problems) // the defaults are the program's own
	}
	if data != "" {
		c.Data = data
	}
	dir, err := os.Getwd()
	if err != nil {
		return Control{}, continuity.E(continuity.CodeConfig, err)
	}
	c.resolve(dir)
	return *c, nil
}

// Read reads a file's text; one that is too large comes cut, and is refused by
// Check.
func Read(path string) ([]byte, error) {
	src, err := yamldoc.ReadFile(path)
	if err != nil {
		name := "unreadable"
		if errors.Is(err, fs.ErrNotExist) {
			name = "missing"
		}
		return nil, continuity.E(continuity.CodeConfig, err, name, path, "cause", err.Error())
	}
	return src, nil
}

// Check reads a text and reports every problem; the settings are nil where one is
// an error. It looks at nothing but src.
func Check(path string, src []byte) (*Control, []yamldoc.Problem) {
	f := yamldoc.NewFindings(path)
	root, lines := yamldoc.Read(f, src)
	c := &Control{}
	if root != nil {
		c.check(f, language.Decode(f, root, c))
	}
	problems := f.Settle(lines)
	if root == nil || f.Failed() {
		return nil, problems
	}
	return c, problems
}

// check is what fields say together.
func (c *Control) check(f *yamldoc.Findings, at yamldoc.Places) {
	one := func(r *secret.Ref, path string) {
		if r == nil || f.ReportedOn(at.At(path).Line) {
			return
		}
		if !r.One() {
			f.Error(at.At(path), "controlconfig.one-of", "field", path)
		}
	}
	one(c.Database, "database")
	one(c.Checks.Mark, "checks.mark")
	if c.Database != nil && c.Database.Name != "" {
		f.Error(at.At("database.secret"), "controlconfig.database-secret")
	}
	for i := range c.Relays {
		one(&c.Relays[i].Token, yamldoc.Below("relays["+strconv.Itoa(i)+"]", "token"))
		for j := range i {
			if c.Relays[i].ID != "" && c.Relays[i].ID == c.Relays[j].ID {
				f.Error(at.At("relays["+strconv.Itoa(i)+"].id"), "controlconfig.twice", "id", c.Relays[i].ID)
			}
		}
	}
	for i := range c.Metrics.RemoteWrite {
		one(c.Metrics.RemoteWrite[i].Token, "metrics.remote_write["+strconv.Itoa(i)+"].token")
	}
	for i := range c.Hooks {
		one(&c.Hooks[i].Secret, "hooks["+strconv.Itoa(i)+"].secret")
		for j := range i {
			if c.Hooks[i].ID != "" && c.Hooks[i].ID == c.Hooks[j].ID {
				f.Error(at.At("hooks["+strconv.Itoa(i)+"].id"), "controlconfig.twice", "id", c.Hooks[i].ID)
			}
		}
	}
	c.checkChannels(f, at)
	c.checkEmergency(f, at)
	c.checkCommands(f, at)
	c.checkBackup(f, at, one)
	if c.Lease != 0 && (c.Lease < time.Second || c.Lease > continuity.LongestLease) {
		f.Error(at.At("lease"), "controlconfig.lease")
	}
	if c.Metrics.Retention != 0 && c.Metrics.Retention < 2*time.Hour {
		f.Error(at.At("metrics.retention"), "controlconfig.retention")
	}
	if c.TLS == nil && c.Listen != "" && !loopback(c.Listen) {
		f.Warning(at.At("listen"), "controlconfig.plain-http")
	}
}

// resolve fills in what is known only where the file lies and the node runs.
func (c *Control) resolve(dir string) {
	abs := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	abs(&c.Data)
	abs(&c.Secrets.Folder)
	for i := range c.Logs {
		abs(&c.Logs[i])
	}
	if c.TLS != nil {
		abs(&c.TLS.Cert)
		abs(&c.TLS.Key)
	}
	for i := range c.Relays {
		abs(&c.Relays[i].Token.File)
	}
	for i := range c.Metrics.RemoteWrite {
		if r := c.Metrics.RemoteWrite[i].Token; r != nil {
			abs(&r.File)
		}
	}
	for i := range c.Hooks {
		abs(&c.Hooks[i].Secret.File)
	}
	for i := range c.Commands {
		abs(&c.Commands[i].Folder)
	}
	for i := range c.Channels {
		resolveFiles(reflect.ValueOf(c.Channels[i].Settings), abs)
	}
	if c.Public != nil && c.Public.TLS != nil {
		abs(&c.Public.TLS.Cert)
		abs(&c.Public.TLS.Key)
	}
	if c.Checks.Mark != nil {
		abs(&c.Checks.Mark.File)
	}
	c.resolveBackup(abs)
	if c.Database != nil {
		abs(&c.Database.File)
	}
	if c.Node == "" {
		c.Node = machine()
	}
}

// Source is where the node's secrets are.
func (c Control) Source() secret.Source {
	base := "."
	if c.File != "" {
		base = filepath.Dir(c.File)
	}
	return secret.Source{Folder: c.Secrets.Folder, Prefix: c.Secrets.Prefix, Listed: c.Secrets.Env, Base: base}
}

// DSN is the database's address; a SQLite file in the data folder where no other
// is named. It may bear a password.
func (c Control) DSN() (string, error) {
	if c.Database == nil {
		return "sqlite:" + c.DatabaseFile(), nil
	}
	text, err := c.Source().Resolve(*c.Database)
	if err != nil {
		return "", err
	}
	return text.Reveal(), nil
}

// DatabaseFile is where the state is kept if no database is named.
func (c Control) DatabaseFile() string { return filepath.Join(c.Data, "state.db") }

// TokenFile is the node's own token, for who administers the machine.
func (c Control) TokenFile() string { return filepath.Join(c.Data, "admin.token") }

var notInID = regexp.MustCompile(`[^a-z0-9-]+`)

// machine is this machine's name as an id.
func machine() string {
	name, err := os.Hostname()
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	name = strings.Trim(notInID.ReplaceAllString(name, "-"), "-0123456789")
	if err != nil || name == "" {
		return "control"
	}
	return name[:min(len(name), 40)]
}

// SchemaID names the schema; editors find it by a file's first line:
//
//	# yaml-language-server: $schema=control.schema.json
const SchemaID = "https://holdfast.example/schema/control-1.json"

// Schema is the JSON Schema (2020-12) of control.yaml, for editors and forms.
func Schema(lang catalogue.Lang) []byte {
	return language.Schema(reflect.TypeFor[Control](), SchemaID, "Holdfast control node", func(path string) string { return Meaning(lang, path) })
}

// Meaning is what a field means.
func Meaning(lang catalogue.Lang, path string) string {
	return catalogue.Text(lang, "controlconfig.setting."+path, nil)
}
