package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/api"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
)

// where says which relay is meant, as far as flags and environment tell.
type where struct{ dir, config, admin, tokenFile string }

// packaged is where the Debian package keeps the configuration.
const packaged = "/etc/holdfast/relay.yaml"

// configFile is the configuration that is meant: --config; or relay.yaml in
// --dir, or in the current folder; or the packaged one, if there is no other.
func (w where) configFile() string {
	if w.config != "" {
		return w.config
	}
	file := filepath.Join(w.dir, "relay.yaml")
	if w.dir == "" && !exists(file) && (exists(packaged) || hidden(packaged)) {
		return packaged
	}
	return file
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// hidden reports whether a path is there as far as can be seen: one in a folder
// that may not be looked into.
func hidden(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrPermission)
}

// client finds the relay's admin API. A running relay leaves its address in
// its data folder, beside the token, so that this works whatever the
// configuration file has become meanwhile.
func (c *cli) client() (*api.Client, error) {
	w := c.where
	file := w.configFile()
	if _, err := config.Read(file); w.admin == "" && errors.Is(err, fs.ErrPermission) {
		return nil, continuity.E(continuity.CodeForbidden, err, "file", file)
	}
	data := w.dataFolder()
	address, tokenFile := w.admin, w.tokenFile
	if address == "" {
		at, err := endpoint.Read(data, endpoint.Relay)
		if err != nil {
			return nil, err
		}
		address = at.Address
		if tokenFile == "" {
			tokenFile = at.TokenFile
		}
	}
	if tokenFile == "" {
		tokenFile = filepath.Join(data, "admin.token")
	}
	token, err := endpoint.ReadToken(tokenFile)
	if err != nil {
		return nil, continuity.E(continuity.CodeForbidden, err)
	}
	return api.NewClient(address, token, c.person, c.lang), nil
}

// dataFolder is the relay's data folder as the configuration names it, even
// where that has errors.
func (w where) dataFolder() string { return config.DataDir(w.configFile()) }
