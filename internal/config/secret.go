package config

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// secretScalar reports a secret written where a reference to one belongs.
func secretScalar(f *findings, path string, n *yamldoc.Node) bool {
	switch path {
	case "admin.token", "master_key":
		f.Error(n.At, "config.secret-token", "field", path, "file", map[string]string{"admin.token": "admin.token", "master_key": "master.key"}[path])
	case "reconcile.dsn":
		if hasPassword(n.Text) {
			f.Error(n.At, "config.secret", "field", path)
		} else {
			f.Error(n.At, "config.dsn-form", "field", path)
		}
	case "sign.secret", "receipt.webhook.secret", "hold.mint.key":
		f.Error(n.At, "config.secret-token", "field", path, "file", "route.secret")
	case "checks.mark":
		f.Error(n.At, "config.secret-token", "field", path, "file", "checks.mark")
	default:
		return false
	}
	return true
}

var passwordPair = regexp.MustCompile(`(?i)(^|[\s?&;])(password|passwd|pwd|sslpassword)\s*=`)

// hasPassword reports whether a data source name carries a password.
func hasPassword(dsn string) bool {
	if passwordPair.MatchString(dsn) {
		return true
	}
	if u, err := url.Parse(dsn); err == nil {
		_, has := u.User.Password()
		return has
	}
	return strings.Contains(dsn, "://") && strings.Contains(dsn, "@") // unreadable: rather safe
}

// secretFile reports what keeps a file of secrets from being used. absent says
// that it may be made later.
func secretFile(f *findings, severity yamldoc.Severity, at place, field, path string, absent bool) bool {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		if !absent {
			f.Add(severity, at, "config.file-missing", "field", field, "path", path)
		}
		return false
	case err != nil:
		f.Add(severity, at, "config.file-unreadable", "field", field, "path", path)
		return false
	case info.IsDir():
		f.Add(severity, at, "config.file-folder", "field", field, "path", path)
		return false
	case info.Mode().Perm()&0o077 != 0:
		f.Add(severity, at, "config.file-open", "field", field, "path", path)
		return false
	}
	return true
}

// readableFile reports what keeps a file from being read.
func readableFile(f *findings, at place, field, path string) {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		f.Warning(at, "config.file-missing", "field", field, "path", path)
	case err != nil:
		f.Warning(at, "config.file-unreadable", "field", field, "path", path)
	case info.IsDir():
		f.Warning(at, "config.file-folder", "field", field, "path", path)
	}
}

// secrets checks the files and variables that the document refers to, and
// resolves the data source names. It is the only step that looks outside the
// configuration file.
func secrets(f *findings, doc *document, dir string, relay *Relay) {
	token := doc.Admin.Token.File
	secretFile(f, yamldoc.Error, fallback(token.At, doc.At), "admin.token.file", relay.TokenFile, true)
	// Without its master key a relay still passes requests, so that is no reason
	// to keep it from starting.
	secretFile(f, yamldoc.Warning, fallback(doc.Master.File.At, doc.At), "master_key.file", relay.MasterKeyFile, true)
	markSecret(f, &doc.Checks, dir, relay)
	for i := range doc.Routes {
		r := &doc.Routes[i]
		checkTrustFiles(f, r, dir)
		if i < len(relay.Routes) {
			outboundSecrets(f, r, dir, &relay.Routes[i])
			mintSecret(f, r, dir, &relay.Routes[i])
		}
		if !r.Reconcile.Set || i >= len(relay.Routes) || relay.Routes[i].Reconcile == nil {
			continue
		}
		if !reconcileSecrets(f, &r.Reconcile, dir, relay.Routes[i].Reconcile) {
			f.Warning(r.Reconcile.At, "config.reconcile-off", "id", r.ID.V)
			relay.Routes[i].Reconcile = nil
		}
	}
}

// reconcileSecrets finds the data source name or the token. What is wrong with
// them is a warning: figures can be compared later, but a relay that did not
// start would be missed at once.
func reconcileSecrets(f *findings, b *reconcileBlock, dir string, out *continuity.Reconcile) bool {
	if b.Driver.V == "http" {
		if !b.Token.Set {
			return true
		}
		text, ok := secretText(f, "reconcile.token", b.Token.File, b.Token.Env, dir)
		out.Pages.Token = text
		return ok
	}
	text, ok := b.DSN.Value.V, true
	if !b.DSN.Value.Set {
		text, ok = secretText(f, "reconcile.dsn", b.DSN.File, b.DSN.Env, dir)
	}
	out.DSN = resolveDSN(dir, b.Driver.V, text)
	return ok
}

// secretText reads a secret from its file or its environment variable.
func secretText(f *findings, field string, file, env value[string], dir string) (text string, ok bool) {
	if file.Set {
		path := resolve(dir, file.V)
		if !secretFile(f, yamldoc.Warning, file.At, field+".file", path, false) {
			return "", false
		}
		content, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
		if err != nil {
			f.Warning(file.At, "config.file-unreadable", "field", field+".file", "path", path)
			return "", false
		}
		if text = strings.TrimSpace(string(content)); text == "" {
			f.Warning(file.At, "config.file-empty", "field", field+".file", "path", path)
		}
		return text, text != ""
	}
	if text = strings.TrimSpace(os.Getenv(env.V)); text == "" {
		f.Warning(env.At, "config.env-missing", "field", field+".env", "name", env.V)
	}
	return text, text != ""
}

// resolveDSN takes a bare SQLite file name from the configuration's folder.
func resolveDSN(dir, driver, dsn string) string {
	if driver != "sqlite" || dsn == "" || strings.HasPrefix(dsn, "file:") || strings.HasPrefix(dsn, ":memory:") {
		return dsn
	}
	return resolve(dir, dsn)
}

// resolve takes a relative path from the configuration's folder.
func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// fallback is the first place that is one.
func fallback(places ...place) place {
	for _, p := range places {
		if p.Line > 0 {
			return p
		}
	}
	return place{Line: 1, Column: 1, Length: 1}
}
