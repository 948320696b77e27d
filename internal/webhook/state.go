package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

// item is an end that has yet to be told.
type item struct {
	Receipt string    `json:"receipt"`
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	Status  int       `json:"status,omitempty"`
	At      time.Time `json:"at"`    // when it ended
	Tries   int       `json:"tries"` // that failed
	Due     time.Time `json:"due"`

	out bool // a try is under way
}

func (i *item) id() string { return i.Receipt + "-" + i.State }

// saved is what a Courier keeps of its work.
type saved struct {
	Version int                 `json:"version"`
	URL     string              `json:"url"` // its digest
	Next    continuity.Position `json:"next"`
	Gone    bool                `json:"gone,omitempty"` // the endpoint answered 410
	Items   []*item             `json:"items"`
}

const version = 1

// digest tells URLs apart without showing them: many a webhook's URL is a secret.
func digest(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:])
}

// load reads the file; the error is fs.ErrNotExist where there is none.
func load(path string) (saved, error) {
	var s saved
	b, err := os.ReadFile(path) // #nosec G304 -- in the data folder
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("webhook: %s: %w", filepath.Base(path), err)
	}
	if s.Version != version {
		return s, fmt.Errorf("webhook: %s: version %d", filepath.Base(path), s.Version)
	}
	return s, nil
}

// store puts the file in the place of the one before, durably.
func store(path string, s saved) error {
	s.Version = version
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return durable.Replace(path, b)
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
