package backup_test

import (
	"reflect"
	"testing"
	"time"

	"holdfast/internal/backup"
)

func at(system, at string) backup.Position { return backup.Position{System: system, At: at} }

func chain() []backup.Manifest {
	return []backup.Manifest{
		{ID: "a", Type: backup.TypeFull, To: at("s", "1")},
		{ID: "b", Type: backup.TypeDelta, Parent: "a", From: at("s", "1"), To: at("s", "2")},
		{ID: "c", Type: backup.TypeDelta, Parent: "b", From: at("s", "2"), To: at("s", "3")},
		{ID: "d", Type: backup.TypeDelta, Parent: "c", From: at("s", "3"), To: at("s", "4")},
	}
}

func TestCheckDeltas(t *testing.T) {
	if faults := backup.CheckDeltas(chain()); faults != nil {
		t.Fatalf("a good chain has %v", faults)
	}
	for name, c := range map[string]struct {
		spoil func([]backup.Manifest) []backup.Manifest
		want  backup.Fault
	}{
		"no full one": {func(c []backup.Manifest) []backup.Manifest { return c[1:] },
			backup.Fault{Kind: backup.FaultMissing, From: at("s", "1"), To: at("s", "2")}},
		"one missing": {func(c []backup.Manifest) []backup.Manifest { return append(c[:2:2], c[3]) },
			backup.Fault{Kind: backup.FaultMissing, From: at("s", "2"), To: at("s", "3")}},
		"another system's": {func(c []backup.Manifest) []backup.Manifest { c[3].To.System = "x"; return c },
			backup.Fault{Kind: backup.FaultSystem, Piece: "d", From: at("s", "3"), To: at("x", "4")}},
		"doubled, different": {func(c []backup.Manifest) []backup.Manifest {
			d := c[3]
			d.ID, d.To = "e", at("s", "5")
			return append(c, d)
		}, backup.Fault{Kind: backup.FaultDouble, Piece: "e", From: at("s", "3"), To: at("s", "5")}},
		"from elsewhere": {func(c []backup.Manifest) []backup.Manifest { c[3].From.At = "9"; return c },
			backup.Fault{Kind: backup.FaultForked, Piece: "d", From: at("s", "9"), To: at("s", "4")}},
	} {
		if got := backup.CheckDeltas(c.spoil(chain())); !reflect.DeepEqual(got, []backup.Fault{c.want}) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestUpTo(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var pieces []backup.Piece
	for i, m := range chain() {
		m.Taken = start.Add(time.Duration(i) * time.Minute)
		pieces = append(pieces, backup.Piece{Manifest: m})
	}
	for name, c := range map[string]struct {
		r    backup.Restore
		want int
	}{
		"all":                {backup.Restore{}, 4},
		"a moment between":   {backup.Restore{Until: start.Add(90 * time.Second)}, 2},
		"a moment of one":    {backup.Restore{Until: start.Add(2 * time.Minute)}, 3},
		"before all":         {backup.Restore{Until: start.Add(-time.Second)}, 0},
		"a place":            {backup.Restore{At: at("s", "2")}, 2},
		"whatever the until": {backup.Restore{At: at("s", "3"), Until: start}, 3},
		"nowhere":            {backup.Restore{At: at("s", "9")}, 0},
	} {
		c.r.Pieces = pieces
		got, ok := c.r.UpTo()
		if len(got) != c.want || ok != (c.want > 0) {
			t.Errorf("%s: %d pieces (%v), want %d", name, len(got), ok, c.want)
		}
	}
}
