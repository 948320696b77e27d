package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"

	"holdfast/internal/continuity"
)

// Restore fills an empty database with what Export wrote, on either kind of
// database. No node may run on it. Everything is checked before it counts: an archive that is damaged,
// cut off or none changes nothing, and neither does one for a database that is
// not empty.
func (s *Store) Restore(ctx context.Context, from io.Reader) error {
	return s.write(ctx, func(c conn) error {
		w := writing{ctx: ctx, conn: c}
		if err := w.lock(); err != nil {
			return err
		}
		if err := s.unled(ctx, c); err != nil {
			return err
		}
		if s.d == postgres { // the archive may come slowly
			if _, err := w.exec(ctx, `SET LOCAL `+idleTimeout+` = 0`); err != nil {
				return err
			}
		}
		var rows int64
		if err := c.row(ctx, `SELECT (SELECT COUNT(*) FROM event) + (SELECT COUNT(*) FROM object) + (SELECT COUNT(*) FROM timer)`).Scan(&rows); err != nil {
			return err
		}
		if rows > 0 || w.seq > 0 {
			return continuity.E(continuity.CodeState, errors.New("the database is not empty"), "detail_id", "controlconfig.not-empty")
		}
		a := &archive{in: bufio.NewReaderSize(from, 1<<16), sum: sha256.New()}
		if err := w.restore(a); err != nil {
			return err
		}
		if err := w.unlock(); err != nil {
			return err
		}
		_, bad, err := verify(ctx, c)
		if err == nil && bad != 0 {
			return broken("chain", nil)
		}
		return err
	})
}

// archive reads lines of JSON and sums them up.
type archive struct {
	in  *bufio.Reader
	sum hash.Hash
}

func (a *archive) next(v any) error {
	var line []byte
	for {
		part, err := a.in.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > longestLine {
			return broken("end", err)
		}
	}
	a.sum.Write(line)
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return broken("line", err)
	}
	return nil
}

func broken(step string, err error) error {
	return continuity.E(continuity.CodeArchive, err, "step", step)
}

// row is the error of a row that the database does not take.
func row(err error) error {
	if err = classify(err); continuity.CodeOf(err) == continuity.CodeInternal && !errors.Is(err, context.Canceled) {
		return broken("row", err)
	}
	return err
}

func (w *writing) restore(a *archive) error {
	var h archiveHeading
	if err := a.next(&h); err != nil {
		return err
	}
	if h.Archive != archiveName || h.Format != archiveFormat {
		return broken("heading", nil)
	}
	w.fence = h.Fence
	insert, err := w.q.PrepareContext(w.ctx, w.d.query(insertEventText)) // read once, not for each of a million
	if err != nil {
		return err
	}
	defer insert.Close()
	for range h.Events {
		var line archiveEvent
		if err := a.next(&line); err != nil {
			return err
		}
		e, ok := fromArchive(line, w.hash)
		if !ok || e.Seq != w.seq+1 || !e.Intact() {
			return broken("chain", nil)
		}
		if _, err := insert.ExecContext(w.ctx, eventValues(&e)...); err != nil {
			return row(err)
		}
		w.seq, w.hash = e.Seq, e.Hash
	}
	for range h.Objects {
		var o archiveObject
		if err := a.next(&o); err != nil {
			return err
		}
		if _, err := w.exec(w.ctx, `INSERT INTO object (kind, id, service, version, body, updated) VALUES (?, ?, ?, ?, ?, ?)`,
			o.Kind, o.ID, o.Service, o.Version, string(o.Body), o.Updated); err != nil {
			return row(err)
		}
		if o.Proof == "" {
			continue
		}
		if err := w.prove(continuity.Change{Kind: o.Kind, ID: o.ID, Proof: o.Proof}); err != nil {
			return row(err)
		}
	}
	for range h.Timers {
		var t archiveTimer
		if err := a.next(&t); err != nil {
			return err
		}
		if _, err := w.exec(w.ctx, `INSERT INTO timer (id, kind, due, body, attempts, node, fence, until, error) VALUES (?, ?, ?, ?, ?, '', ?, 0, ?)`,
			t.ID, t.Kind, t.Due, nullText(t.Body), t.Attempts, t.Fence, t.Error); err != nil {
			return row(err)
		}
	}
	sum := hex.EncodeToString(a.sum.Sum(nil))
	var end archiveEnd
	if err := a.next(&end); err != nil {
		return err
	}
	if end.SHA256 != sum {
		return broken("sum", nil)
	}
	if _, err := a.in.ReadByte(); !errors.Is(err, io.EOF) {
		return broken("more", err)
	}
	return nil
}
