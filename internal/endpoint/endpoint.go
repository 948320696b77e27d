package endpoint

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/continuity"
)

// The files in a data folder that tell where a running process is.
const (
	Relay   = "admin.json"
	Control = "control.json"
)

// Endpoint is what a running process tells about its API. It leaves it in its
// data folder, so that the command line finds it whatever its configuration file
// has become meanwhile.
type Endpoint struct {
	Address   string `json:"address"` // host:port
	TokenFile string `json:"token_file"`
	PID       int    `json:"pid"`
}

// Write leaves the endpoint in a data folder under a name, whole or not at all.
func Write(data, name string, e Endpoint) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	tmp := filepath.Join(data, name) + ".tmp"
	if err = os.WriteFile(tmp, append(b, '\n'), 0o600); err == nil {
		err = os.Rename(tmp, filepath.Join(data, name))
	}
	if err != nil {
		_ = os.Remove(tmp) // it may not even be there
	}
	return err
}

// Remove takes it away.
func Remove(data, name string) error {
	err := os.Remove(filepath.Join(data, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Read reads what was left in a data folder. CodeUnreachable means that nothing
// runs there.
func Read(data, name string) (Endpoint, error) {
	var e Endpoint
	b, err := os.ReadFile(filepath.Join(data, name))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if errors.Is(err, fs.ErrPermission) { // there may well be one
		return e, continuity.E(continuity.CodeForbidden, err, "file", filepath.Join(data, name))
	}
	if err != nil {
		return e, continuity.E(continuity.CodeUnreachable, err, "folder", data, "control", name == Control)
	}
	return e, nil
}
