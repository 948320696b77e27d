package secret

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// Ref says where a secret is. One field is set. The tags are those of package
// yamldoc.
type Ref struct {
	Name string `yaml:"secret" kind:"env" example:"SHOP_DSN"`                   // in the node's store of secrets
	Env  string `yaml:"env" kind:"env" example:"SHOP_DSN"`                      // a variable of the environment
	File string `yaml:"file" kind:"file" example:"/etc/holdfast/shop.password"` // a file of its own

	Certificate string // a file of certificates, which others may read; no document names it so
}

// One says whether it names exactly one place.
func (r Ref) One() bool {
	n := 0
	for _, text := range []string{r.Name, r.Env, r.File} {
		if text != "" {
			n++
		}
	}
	return n == 1
}

// Empty says whether it names nothing.
func (r Ref) Empty() bool { return r == Ref{} }

func (r Ref) String() string {
	switch {
	case r.Name != "":
		return "secret " + r.Name
	case r.Env != "":
		return "env " + r.Env
	case r.Certificate != "":
		return "certificate " + r.Certificate
	}
	return "file " + r.File
}

// Source is where a node's secrets are.
type Source struct {
	Folder string              // one file for each name; may be empty
	Prefix string              // of variables: NAME is PrefixNAME; empty: none
	Listed []string            // variables that plans may name besides
	Base   string              // of relative paths in the node's own settings
	Getenv func(string) string // os.Getenv where nil
}

// DefaultPrefix is the prefix of variables that hold secrets.
const DefaultPrefix = "HOLDFAST_SECRET_"

// kept says what a file may be.
type kept struct {
	most   int         // bytes
	closed fs.FileMode // what others may not
}

// A bundle of keys fits a secret, the authorities of a whole system the other; a
// group may read: root:holdfast is how packages do it.
var (
	secrets      = kept{64 << 10, 0o027}
	certificates = kept{1 << 20, 0o022}
)

var wellNamed = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// Why a reference leads nowhere; the texts are access.secret.WHY.
const (
	whyMissing = "missing"   // there is none
	whyOpen    = "open"      // others may read the file
	whyBig     = "big"       // too long
	whyEmpty   = "empty"     // nothing in it
	whyText    = "text"      // no text
	whyOutside = "outside"   // a plan may not name that
	whyRead    = "unread"    // it can't be read
	whyForm    = "reference" // the reference names nothing, or not one thing
)

// Resolve fetches what the node's own settings name.
func (s Source) Resolve(r Ref) (Text, error) { return s.resolve(r, false) }

// ForPlan fetches what a plan names.
func (s Source) ForPlan(r Ref) (Text, error) { return s.resolve(r, true) }

// Later returns a function that fetches anew at each call what a plan names, for
// those who need a secret at each use.
func (s Source) Later(r Ref) func() (string, error) {
	return func() (string, error) {
		text, err := s.ForPlan(r)
		return text.Reveal(), err
	}
}

func (s Source) resolve(r Ref, plan bool) (Text, error) {
	as := secrets
	if r.Certificate != "" {
		as = certificates
	}
	value, why, err := s.read(r, plan, as)
	if why == "" {
		value, why = as.tidy(value)
	}
	if why != "" {
		return Text{}, continuity.E(continuity.CodeSecret, err, "reference", r.String(), "why", why)
	}
	return Text{value}, nil
}

func (s Source) read(r Ref, plan bool, as kept) (value, why string, err error) {
	switch {
	case r.Empty():
	case r == Ref{Name: r.Name}:
		return s.named(r.Name)
	case r == Ref{Env: r.Env}:
		if plan && !slices.Contains(s.Listed, r.Env) && (s.Prefix == "" || !strings.HasPrefix(r.Env, s.Prefix)) {
			return "", whyOutside, nil
		}
		return s.env(r.Env)
	case r == Ref{File: r.File} && plan:
		return s.inFolder(r.File, as)
	case r == Ref{File: r.File}:
		path := r.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.Base, path)
		}
		f, err := os.Open(path) //nolint:gosec // the node's own settings say which file
		return as.read(f, err)
	case r == Ref{Certificate: r.Certificate}: // only plans name one so
		return s.inFolder(r.Certificate, as)
	}
	return "", whyForm, nil
}

// named looks into the folder, then into the environment.
func (s Source) named(name string) (value, why string, err error) {
	if !wellNamed.MatchString(name) {
		return "", whyForm, nil
	}
	if s.Folder != "" {
		value, why, err = s.inFolder(name, secrets)
		if why != whyMissing {
			return value, why, err
		}
	}
	if s.Prefix == "" {
		return "", whyMissing, err
	}
	return s.env(s.Prefix + name)
}

func (s Source) env(name string) (value, why string, err error) {
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	if value = getenv(name); value == "" {
		why = whyMissing
	}
	return value, why, nil
}

// inFolder reads a file of the folder of secrets, which no path and no link leads
// out of.
func (s Source) inFolder(path string, as kept) (value, why string, err error) {
	if s.Folder == "" {
		return "", whyOutside, nil
	}
	if filepath.IsAbs(path) {
		folder, err := filepath.Abs(s.Folder)
		if err != nil {
			return "", whyRead, err
		}
		if path, err = filepath.Rel(folder, path); err != nil {
			return "", whyOutside, nil
		}
	}
	if !filepath.IsLocal(path) {
		return "", whyOutside, nil
	}
	root, err := os.OpenRoot(s.Folder)
	if err != nil {
		return as.read(nil, err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is nothing to wait for
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return "", whyOutside, err // a link out of the folder
	}
	return as.read(f, err)
}

func (as kept) read(f *os.File, err error) (value, why string, _ error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", whyMissing, err
	case err != nil:
		return "", whyRead, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", whyRead, err
	}
	if info.Mode().Perm()&as.closed != 0 {
		return "", whyOpen, nil
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(as.most)+3))
	if err != nil {
		return "", whyRead, err
	}
	return string(b), "", nil
}

// tidy takes off the one line break that editors put at the end.
func (as kept) tidy(value string) (_, why string) {
	if cut, ok := strings.CutSuffix(value, "\n"); ok {
		value = strings.TrimSuffix(cut, "\r")
	}
	switch {
	case value == "":
		return "", whyEmpty
	case len(value) > as.most:
		return "", whyBig
	case !utf8.ValidString(value) || strings.Contains(value, "\x00"):
		return "", whyText
	}
	return value, ""
}
