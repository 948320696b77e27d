package controlconfig

import (
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"holdfast/internal/secret"
	"holdfast/internal/yamldoc"
)

// Backup is where backups go, and what keeps them from other eyes.
type Backup struct {
	Key        string      `yaml:"key" kind:"file" required:"true" example:"/etc/holdfast/backup.keys"`
	Passphrase *secret.Ref `yaml:"passphrase"`
	Guard      string      `yaml:"guard" kind:"file" example:"/run/keys/holdfast.guard"`
	Targets    []Target    `yaml:"targets" required:"true"`
	Folders    []string    `yaml:"folders" kind:"file" example:"[/srv/shop, /var/lib/holdfast/data]"`
	Scratch    string      `yaml:"scratch" kind:"file" example:"/var/lib/holdfast/scratch"`
	Spool      string      `yaml:"spool" kind:"file" example:"/var/lib/holdfast/spool"`
}

// Target is a place for backups.
type Target struct {
	ID          string      `yaml:"id" kind:"id" required:"true" example:"far"`
	URL         string      `yaml:"url" kind:"target" required:"true" example:"s3://shop-backups/holdfast?endpoint=https://s3.example.com"`
	Copy        string      `yaml:"copy" kind:"word" of:"local,remote" required:"true" example:"remote"`
	Credentials *secret.Ref `yaml:"credentials"`
	Prune       *secret.Ref `yaml:"prune"`
}

// parseTarget takes the address of a folder, a bucket or an SFTP server; what in it is
// wrong beside its form is said by whoever opens it.
func parseTarget(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if filepath.IsAbs(text) {
		return text, nil
	}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		if _, has := u.User.Password(); has || u.Scheme == "s3" {
			return nil, yamldoc.Wrong("controlconfig.target-secret")
		}
	}
	if path, is := strings.CutPrefix(text, "folder:"); is && filepath.IsAbs(path) {
		return text, nil
	}
	if err != nil || u.Host == "" || u.Scheme != "s3" && u.Scheme != "sftp" {
		return nil, yamldoc.Wrong("controlconfig.target")
	}
	return text, nil
}

// checkBackup reports targets that are there twice, and secrets that are none.
func (c *Control) checkBackup(f *yamldoc.Findings, at yamldoc.Places, one func(*secret.Ref, string)) {
	if c.Backup == nil {
		return
	}
	one(c.Backup.Passphrase, "backup.passphrase")
	if c.Backup.Passphrase != nil && c.Backup.Guard != "" {
		f.Error(at.At("backup.guard"), "controlconfig.backup-guard")
	}
	seen := map[string]bool{}
	for i := range c.Backup.Targets {
		target, where := &c.Backup.Targets[i], "backup.targets["+strconv.Itoa(i)+"]"
		one(target.Credentials, where+".credentials")
		one(target.Prune, where+".prune")
		if target.ID != "" && seen[target.ID] {
			f.Error(at.At(where+".id"), "controlconfig.twice", "id", target.ID)
		}
		seen[target.ID] = true
	}
}

// resolveBackup makes paths absolute; what is worked with lies in the data folder
// where nothing else is said.
func (c *Control) resolveBackup(abs func(*string)) {
	b := c.Backup
	if b == nil {
		return
	}
	for path, name := range map[*string]string{&b.Scratch: "scratch", &b.Spool: "spool"} {
		if *path == "" {
			*path = filepath.Join(c.Data, "backup", name)
		}
		abs(path)
	}
	abs(&b.Key)
	abs(&b.Guard)
	for i := range b.Folders {
		abs(&b.Folders[i])
	}
	refs := []*secret.Ref{b.Passphrase}
	for i := range b.Targets {
		refs = append(refs, b.Targets[i].Credentials, b.Targets[i].Prune)
	}
	for _, ref := range refs {
		if ref != nil {
			abs(&ref.File)
		}
	}
}
