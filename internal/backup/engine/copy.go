package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// copyPiece copies a piece from one target to another as it lies there: nobody needs to
// open it for that. What is not the file of the manifest is never published.
func (e *Engine) copyPiece(ctx context.Context, from, to Target, m backup.Manifest) error {
	raw, err := readSmall(ctx, from.At, m.Path()+backup.ManifestSuffix)
	if err == nil {
		_, err = e.manifestOf(m.Path(), raw)
	}
	if err != nil {
		return err
	}
	r, _, err := from.At.Open(ctx, m.Path())
	if err != nil {
		return err
	}
	whole := &checked{r: r, left: m.Bytes, sum: sha256.New(), m: m}
	err = errors.Join(to.At.Put(ctx, m.Path(), whole), r.Close())
	if err != nil {
		return err
	}
	return e.put(ctx, to, m.Path()+backup.ManifestSuffix, raw)
}

// errNotTheFile is why a copy was not made.
var errNotTheFile = errors.New("the file is not the one of its manifest")

// checked reads a file, and ends well only if it was the one that its manifest tells of.
type checked struct {
	r    io.Reader
	left int64
	sum  hash.Hash
	m    backup.Manifest
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	if c.left -= int64(n); c.left < 0 || err == io.EOF && (c.left != 0 || hex.EncodeToString(c.sum.Sum(nil)) != c.m.SHA256) {
		return 0, damaged(c.m.Path(), errNotTheFile)
	}
	return n, err
}

func damaged(name string, cause error) error {
	return continuity.E(continuity.CodeBackupPiece, cause, "piece", name, "cause", cause.Error())
}
