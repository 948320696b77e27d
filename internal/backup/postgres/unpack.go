package postgres

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"holdfast/internal/backup"
)

// unpack makes a data folder of a full piece.
func unpack(ctx context.Context, piece backup.Piece, data *os.Root, own owner, report backup.Report) (n note, err error) {
	in, err := piece.Open(ctx)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	u := &unpacking{in: &metered{r: in, told: func(done int64) { tell(report, "restore", done, piece.Plain) }}, data: data, own: own}
	for range 2 {
		if err := u.archive(ctx); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) {
			return n, pieceError(piece.ID, err)
		} else if err != nil {
			return n, err
		}
	}
	// To its end, which is when it is proven to be whole.
	if _, err := io.Copy(io.Discard, u.in); err != nil {
		return n, err
	}
	if u.note == nil {
		return n, pieceError(piece.ID, errors.New("it is no full piece of PostgreSQL"))
	}
	if err := json.Unmarshal(u.note, &n); err != nil || n.Format != 1 || n.Segment < 1<<20 || n.Segment > 1<<30 ||
		n.Segment&(n.Segment-1) != 0 || n.Page < 1024 || n.Page > 65536 || n.Page&(n.Page-1) != 0 {
		return n, pieceError(piece.ID, errors.New("its note can't be understood: it may be of a newer Holdfast"))
	}
	// The last segment of the log has the part of it that there was.
	last, err := data.OpenFile("pg_wal/"+n.file(n.End-1), os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return n, pieceError(piece.ID, errors.New("it has not the log that it needs"))
	} else if err != nil {
		return n, err
	}
	return n, errors.Join(last.Truncate(int64(n.Segment)), last.Close()) // #nosec G115 -- at most 1 GiB
}

type unpacking struct {
	in   io.Reader
	data *os.Root
	own  owner
	note []byte
}

// archive unpacks one, in which are files and folders and nothing else.
func (u *unpacking) archive(ctx context.Context) error {
	archive := tar.NewReader(u.in)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(head.Name, "./"), "/")
		switch {
		case name == "" || name == ".":
		case name == noteName:
			if u.note, err = io.ReadAll(io.LimitReader(archive, 1<<16)); err != nil {
				return err
			}
		case name != path.Clean(name):
			return fmt.Errorf("%q in the archive is no proper name", head.Name)
		case head.Typeflag == tar.TypeDir:
			err = u.folder(name)
		case head.Typeflag == tar.TypeReg:
			err = u.file(name, archive)
		default:
			return fmt.Errorf("%q in the archive is neither file nor folder", head.Name)
		}
		if err != nil {
			return err
		}
	}
}

func (u *unpacking) folder(name string) error {
	if err := u.data.Mkdir(name, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	}
	return u.own.take(u.data, name)
}

func (u *unpacking) file(name string, from io.Reader) error {
	f, err := u.data.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrNotExist) { // its folder has no entry of its own
		if err = u.data.MkdirAll(path.Dir(name), 0o700); err == nil {
			err = u.own.take(u.data, path.Dir(name))
		}
		if err != nil {
			return err
		}
		f, err = u.data.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close(), u.own.take(u.data, name))
}

// metered tells how much was read through it.
type metered struct {
	r    io.Reader
	n    int64
	told func(int64)
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.told(m.n)
	return n, err
}
