//go:build !unix

package terminal

import (
	"errors"
	"os"
)

func write(path, text string, flags int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flags, 0o600) // #nosec G304 -- what the settings name
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func ownerOf(string) (string, bool) { return "", false }
