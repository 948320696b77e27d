package open

import (
	"context"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"holdfast/internal/target"
	"holdfast/internal/target/folder"
	"holdfast/internal/target/s3"
	"holdfast/internal/target/sftp"
)

// Target opens what an address names:
//
//	/path or folder:/path
//	s3://bucket/folder?endpoint=https://host:port&region=...
//	sftp://user@host:port/folder?known_hosts=file
//
// The credentials are text that stands in a secret or a file, never in the address: of S3
// the access key, a colon or line feed, and the secret key. Without any, S3 takes those
// of the environment, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Of SFTP they are a
// private key or a password; the server's key stands in the file known_hosts.
func Target(ctx context.Context, address, secret string) (target.Target, error) {
	if path := strings.TrimPrefix(address, "folder:"); filepath.IsAbs(path) {
		return folder.New(filepath.Clean(path))
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, target.BadAddress("?", "form", nil) // the error has the address, and whatever is in it
	}
	place := u.Scheme + "://" + u.Host + u.Path
	if _, has := u.User.Password(); has {
		return nil, target.BadAddress(place, "secret", nil)
	}
	if u.Host == "" || u.Fragment != "" {
		return nil, target.BadAddress(place, "form", nil)
	}
	switch u.Scheme {
	case "s3":
		query, err := only(u, place, "endpoint", "region")
		if err != nil || u.User != nil || u.Port() != "" {
			return nil, target.BadAddress(place, "form", err)
		}
		access, key, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(secret), "\r", ""), "\n")
		if key == "" {
			access, key, _ = strings.Cut(access, ":")
		}
		if (access == "") != (key == "") {
			return nil, target.BadAddress(place, "credentials", nil)
		}
		return s3.New(ctx, s3.Settings{
			Endpoint: query.Get("endpoint"), Region: query.Get("region"), Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"),
			Access: strings.TrimSpace(access), Secret: strings.TrimSpace(key),
		})
	case "sftp":
		query, err := only(u, place, "known_hosts")
		if err != nil || u.User.Username() == "" || u.Path == "" {
			return nil, target.BadAddress(place, "form", err)
		}
		return overSSH(ctx, u, place, query.Get("known_hosts"), secret)
	}
	return nil, target.BadAddress(place, "form", nil)
}

// overSSH takes a private key, or else the secret for a password.
func overSSH(ctx context.Context, u *url.URL, place, file, secret string) (target.Target, error) {
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, target.BadAddress(place, "known-hosts", err)
		}
		file = filepath.Join(home, ".ssh", "known_hosts")
	}
	known, err := knownhosts.New(file)
	if err != nil {
		return nil, target.BadAddress(place, "known-hosts", err)
	}
	auth := ssh.Password(strings.TrimRight(secret, "\r\n"))
	if strings.Contains(secret, "PRIVATE KEY-----") {
		key, err := ssh.ParsePrivateKey([]byte(strings.TrimSpace(secret) + "\n"))
		if err != nil {
			return nil, target.BadAddress(place, "credentials", nil)
		}
		auth = ssh.PublicKeys(key)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "22")
	}
	return sftp.New(ctx, sftp.Settings{Address: address, User: u.User.Username(), Folder: path.Clean(u.Path), Auth: auth, Known: known})
}

// only reads the settings in an address, and refuses others.
func only(u *url.URL, place string, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, target.BadAddress(place, "form", nil)
	}
	rest := map[string]bool{}
	for name := range query {
		rest[name] = true
	}
	for _, name := range known {
		delete(rest, name)
	}
	if len(rest) > 0 {
		return nil, target.BadAddress(place, "form", nil)
	}
	return query, nil
}
