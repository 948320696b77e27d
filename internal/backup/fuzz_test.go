package backup_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/internal/backup"
)

// FuzzParseName looks for names that are read as what they are not written as.
func FuzzParseName(f *testing.F) {
	for _, name := range []string{
		"shop/orders/20261120-orders-full-030000-abcdefghij.bak", "shop/a-full-b/20261120-a-full-b-log-235959-abcdefghij.bak",
		"shop/a--b/20240229-a--b-delta-000000-abcdefghij.bak", "shop/orders/20261120-orders-full-030000-abcdefghij.bak.bak",
		"shop/orders/20261120-other-full-030000-abcdefghij.bak", "../orders/20261120-orders-full-030000-abcdefghij.bak", "//", "----.bak",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := backup.ParseName(text)
		if err != nil {
			return
		}
		if name.Path() != text || name.Check() != nil {
			t.Errorf("%q was read as %q", text, name.Path())
		}
	})
}

// pieces makes manifests of bytes, of eight each, with few enough ids, places and moments
// that they have to do with each other.
func pieces(raw []byte) []backup.Manifest {
	var all []backup.Manifest
	id := func(b byte) string { return string(rune('a' + b%16)) }
	at := func(b byte) backup.Position {
		if b%32 == 0 {
			return backup.Position{}
		}
		return backup.Position{System: "s", Timeline: 1 + uint32(b>>7), At: fmt.Sprintf("%02d", b%32)}
	}
	for ; len(raw) >= 8 && len(all) < 64; raw = raw[8:] {
		started := time.Unix(int64(raw[6]), 0)
		all = append(all, backup.Manifest{
			ID: id(raw[1]), Type: []string{backup.TypeFull, backup.TypeDelta, backup.TypeLog, ""}[raw[0]%4], Base: id(raw[2]), Parent: id(raw[3]),
			From: at(raw[4]), To: at(raw[5]), Exact: at(raw[5] ^ raw[0]), Started: started, Taken: started.Add(time.Duration(raw[7]%8) * time.Second), Number: int(raw[0] >> 4),
		})
	}
	return all
}

// FuzzChains looks for pieces of which no chain can be made without an end, or one that
// says more than it has: whoever writes to a target chooses what lies there, but not what
// is signed, so ids and places may be anything.
func FuzzChains(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 2, 1, 1, 2, 1, 0, 0, 2, 5, 2, 2, 2, 2, 0, 0, 5, 9, 3, 3}, int64(3))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 1, 2, 0, 1, 0, 0, 3, 3}, int64(0))
	f.Add([]byte{1, 1, 1, 1, 0, 0, 1, 1, 1, 2, 1, 3, 0, 0, 2, 2, 1, 3, 1, 2, 0, 0, 3, 3, 0, 1, 1, 1, 0, 0, 1, 1}, int64(9)) // round in circles
	f.Add([]byte{2, 1, 0, 0, 9, 2, 1, 1, 2, 2, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 9, 1, 1, 1}, int64(1))                         // backwards
	f.Fuzz(func(t *testing.T, raw []byte, moment int64) {
		all := pieces(raw)
		fulls := 0
		for _, p := range all {
			if p.Type == backup.TypeFull {
				fulls++
			}
		}
		chains := backup.Assemble(all)
		if len(chains) != fulls {
			t.Errorf("%d chains of %d full pieces", len(chains), fulls)
		}
		when := time.Unix(moment%512, 0)
		for _, c := range chains {
			of := c.Pieces()
			if len(of) > len(all) || len(c.Deltas) > 0 && len(c.Logs) > 0 {
				t.Errorf("a chain of %d of %d pieces, %d of them of a log", len(of), len(all), len(c.Logs))
			}
			for i := 1; i < len(c.Logs); i++ {
				if c.Logs[i].From.Compare(c.Logs[i-1].To) > 0 {
					t.Error("a log with a gap")
				}
			}
			some, reaches := c.Until(when)
			if reaches.After(when) || len(some) > len(of) {
				t.Errorf("%d pieces reach %v, which is after %v", len(some), reaches, when)
			}
			for _, p := range of {
				through := c.Through(p.ID)
				if len(through) > len(of) || len(through) > 0 && !slices.ContainsFunc(through, func(m backup.Manifest) bool { return m.ID == p.ID }) {
					t.Errorf("%d pieces for %s, which is not among them", len(through), p.ID)
				}
			}
		}
		backup.Superseded(all)
		backup.CheckDeltas(all)
	})
}
