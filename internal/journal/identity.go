package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
)

var errIdentity = errors.New("not a whole journal identity")

// maxIdentity bounds what is read of an identity file.
const maxIdentity = 4096

func (id journalID) String() string { return hex.EncodeToString(id[:]) }

// identityText is the content of the file that names the journal; its first
// lines are for whoever finds the directory.
func identityText(id journalID) string {
	text := "This directory is a Holdfast journal: requests that were accepted and must not be lost.\n" +
		"Don't change, move or remove anything in it; see docs/formats/journal.md.\n" +
		"id " + id.String() + "\n"
	return text + fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(text), castagnoli))
}

func parseIdentity(text string) (id journalID, err error) {
	_, rest, ok := strings.Cut(text, "\nid ")
	if !ok || len(rest) < 2*len(id) {
		return id, errIdentity
	}
	if _, err := hex.Decode(id[:], []byte(rest[:2*len(id)])); err != nil || identityText(id) != text {
		return journalID{}, errIdentity
	}
	return id, nil
}

// readIdentity returns the id of the journal in a directory, or ok false where
// there is no identity file.
func readIdentity(dir FS) (id journalID, ok bool, err error) {
	file, err := dir.Open(IdentityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return id, false, nil
	}
	if err != nil {
		return id, false, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return id, false, err
	}
	text := make([]byte, min(size, maxIdentity))
	if n, err := file.ReadAt(text, 0); n < len(text) {
		return id, false, damaged(IdentityFile, 0, err)
	}
	if id, err = parseIdentity(string(text)); err != nil {
		return id, false, damaged(IdentityFile, 0, err)
	}
	return id, true, nil
}

func (f *Files) writeIdentity() error {
	tmp := IdentityFile + tmpSuffix
	file, err := f.fs.Create(tmp)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(identityText(f.id)), 0)
	if err == nil {
		err = file.SyncAll()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.fs.Rename(tmp, IdentityFile); err != nil {
		return err
	}
	return f.syncDir()
}
