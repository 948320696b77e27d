package engine

import (
	"context"
	"errors"
	"io"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
	"holdfast/internal/continuity"
)

const manifestFormat = 1

// manifestOf reads the manifest of the piece whose file has this name.
func (e *Engine) manifestOf(name string, raw []byte) (backup.Manifest, error) {
	m, err := backupfile.ReadManifest(raw, e.o.Ring)
	if err == nil && m.Path() != name {
		err = damaged(name, errors.New("it tells of another file: "+m.Path()))
	}
	return m, err
}

// proofOf reads the proof of the piece whose file has this name.
func (e *Engine) proofOf(name string, raw []byte) (backup.Proof, error) {
	p, err := backupfile.ReadProof(raw, e.o.Ring)
	if err != nil {
		return p, err
	}
	n, err := backup.ParseName(name)
	if err == nil && (n.Service != p.Service || n.Set != p.Set || n.ID != p.Piece) {
		err = damaged(name, errors.New("it is the proof of another piece: "+p.Piece))
	}
	return p, err
}

// open reads the plain stream of a piece as it lies on a target, and tells of the bytes
// that were read of its file.
func (e *Engine) open(ctx context.Context, t Target, m backup.Manifest, read func(int)) (io.ReadCloser, error) {
	r, _, err := t.At.Open(ctx, m.Path())
	if err != nil {
		return nil, err
	}
	in, err := backupfile.NewReader(&told{r, read}, e.o.Ring, backupfile.BoundOf(m))
	if err != nil {
		return nil, ofPiece(m.ID, err)
	}
	return &named{in, m.ID}, nil
}

// named says in errors which piece is not what it has to be.
type named struct {
	io.ReadCloser
	piece string
}

func (n *named) Read(p []byte) (int, error) {
	read, err := n.ReadCloser.Read(p)
	return read, ofPiece(n.piece, err)
}

func ofPiece(id string, err error) error {
	if err == nil || err == io.EOF || continuity.CodeOf(err) != continuity.CodeBackupPiece {
		return err
	}
	return continuity.E(continuity.CodeBackupPiece, err, "piece", id, "cause", err.Error())
}

// told tells how much was read.
type told struct {
	io.ReadCloser
	read func(int)
}

func (t *told) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.read(n)
	return n, err
}
