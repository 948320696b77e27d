package store

import (
	"context"

	"holdfast/internal/continuity"
)

// VerifyEvents reads the whole chain and returns how many events it has and the
// number of the first that is not as it was written: changed, missing, added or
// moved; 0 where all are. Events cut off at the end are missing, too; and an
// object that differs from what its event says makes that event bad. Content may
// only be gone where a later event says that it was erased.
//
// Who can write to the database can make a whole chain anew: against that, keep
// what LastEvent says elsewhere.
func (s *Store) VerifyEvents(ctx context.Context) (n, firstBad int64, err error) {
	err = s.snapshot(ctx, func(c conn) error {
		n, firstBad, err = verify(ctx, c)
		return err
	})
	return n, firstBad, err
}

func verify(ctx context.Context, c conn) (n, firstBad int64, err error) {
	bad := func(seq int64) {
		if firstBad == 0 || seq < firstBad {
			firstBad = seq
		}
	}
	var last continuity.AuditEvent
	alive := int64(0)
	erased := map[[2]string]int64{} // the first event of an object without content
	err = c.each(ctx, func(scan func(...any) error) error {
		e, err := scanEvent(scan)
		if err != nil {
			return err
		}
		n++
		if e.Seq != last.Seq+1 || e.Prev != last.Hash || !e.Intact() {
			// What is missing is bad before what comes after the gap.
			bad(min(e.Seq, last.Seq+1))
		}
		if before, after := e.BeforeSum != [32]byte{}, e.AfterSum != [32]byte{}; before != after {
			alive++
			if before {
				alive -= 2
			}
		}
		object := [2]string{e.Kind, e.ID}
		switch _, waits := erased[object]; {
		case e.Action == ActionErased:
			delete(erased, object)
		case e.Erased && !waits:
			erased[object] = e.Seq
		}
		last = e
		return nil
	}, `SELECT `+eventColumns+` FROM event ORDER BY seq`)
	if err != nil {
		return 0, 0, err
	}
	for _, seq := range erased {
		bad(seq)
	}
	var seq, objects int64
	var hash []byte
	if err := c.row(ctx, `SELECT seq, hash FROM head WHERE one = 1`).Scan(&seq, &hash); err != nil {
		return 0, 0, err
	}
	if seq != last.Seq || string(hash) != string(last.Hash[:]) && seq != 0 {
		bad(min(seq, last.Seq) + 1)
	}
	err = c.each(ctx, func(scan func(...any) error) error {
		var version int64
		if err := scan(&version); err != nil {
			return err
		}
		bad(version)
		return nil
	}, `SELECT o.version FROM object o LEFT JOIN event e ON e.seq = o.version
		WHERE e.seq IS NULL OR e.kind <> o.kind OR e.id <> o.id OR e.service <> o.service OR e.at <> o.updated OR e.became IS NULL OR e.became <> o.body ORDER BY o.version LIMIT 1`)
	if err != nil {
		return 0, 0, err
	}
	if err := c.row(ctx, `SELECT COUNT(*) FROM object`).Scan(&objects); err != nil {
		return 0, 0, err
	}
	if firstBad == 0 && objects != alive {
		missing, err := missingObject(ctx, c)
		if err != nil {
			return 0, 0, err
		}
		bad(missing)
	}
	return n, firstBad, nil
}

// missingObject is the event of an object that should be there.
func missingObject(ctx context.Context, c conn) (seq int64, err error) {
	err = c.row(ctx, `SELECT COALESCE(MIN(e.seq), 1) FROM event e
		JOIN (SELECT MAX(seq) AS seq FROM event GROUP BY kind, id) newest ON newest.seq = e.seq
		LEFT JOIN object o ON o.kind = e.kind AND o.id = e.id
		WHERE e.became_sum IS NOT NULL AND o.id IS NULL`).Scan(&seq)
	return seq, err
}
