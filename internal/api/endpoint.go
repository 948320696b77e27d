package api

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/continuity"
)

// Endpoint is what a running relay tells about its admin API. It leaves it in
// its data folder, so that the command line finds the relay whatever its
// configuration file has become meanwhile.
type Endpoint struct {
	Address   string `json:"address"` // host:port
	TokenFile string `json:"token_file"`
	PID       int    `json:"pid"`
}

func endpointFile(data string) string { return filepath.Join(data, "admin.json") }

// WriteEndpoint leaves the endpoint in a data folder, whole or not at all.
func WriteEndpoint(data string, e Endpoint) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	tmp := endpointFile(data) + ".tmp"
	if err = os.WriteFile(tmp, append(b, '\n'), 0o600); err == nil {
		err = os.Rename(tmp, endpointFile(data))
	}
	if err != nil {
		_ = os.Remove(tmp) // it may not even be there
	}
	return err
}

// RemoveEndpoint takes it away.
func RemoveEndpoint(data string) error {
	err := os.Remove(endpointFile(data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReadEndpoint reads what a relay left in a data folder. CodeUnreachable means
// that none runs there.
func ReadEndpoint(data string) (Endpoint, error) {
	var e Endpoint
	b, err := os.ReadFile(endpointFile(data))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		return e, continuity.E(continuity.CodeUnreachable, err, "folder", data)
	}
	return e, nil
}
