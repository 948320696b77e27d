package backup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var day0 = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return day0.Add(time.Duration(minutes) * time.Minute) }

func place(n int) Position {
	if n == 0 {
		return Position{}
	}
	return Position{System: "s", Timeline: 1, At: fmt.Sprint(n)}
}

func full(id string, minute, from, to int) Manifest {
	return Manifest{ID: id, Type: TypeFull, Started: at(minute - 1), Taken: at(minute), From: place(from), To: place(to), Bytes: 100, SHA256: id}
}

func delta(id, base, parent string, minute int) Manifest {
	return Manifest{ID: id, Type: TypeDelta, Base: base, Parent: parent, Started: at(minute), Taken: at(minute), Bytes: 10, SHA256: id}
}

func logSpan(id string, minute, from, to int) Manifest {
	return Manifest{ID: id, Type: TypeLog, Started: at(minute), Taken: at(minute), From: place(from), To: place(to), Bytes: 1, Plain: int64(to - from), SHA256: id}
}

func ids(pieces []Manifest) string {
	var all []string
	for _, p := range pieces {
		all = append(all, p.ID)
	}
	return strings.Join(all, " ")
}

func faults(all []Fault) string {
	var words []string
	for _, f := range all {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s-%s", f.Kind, f.Piece, f.From.At, f.To.At)))
	}
	return strings.Join(words, ", ")
}

func TestChainsOfDeltas(t *testing.T) {
	pieces := []Manifest{
		full("b", 100, 0, 0), delta("b1", "b", "b", 110), delta("b2", "b", "b1", 120),
		full("a", 0, 0, 0), delta("a1", "a", "a", 10), delta("a1'", "a", "a", 12), delta("a2", "a", "a1", 20), delta("a3", "a", "gone", 30),
	}
	chains := Assemble(pieces)
	if len(chains) != 2 || ids(chains[0].Pieces()) != "a a1 a2" || ids(chains[1].Pieces()) != "b b1 b2" {
		t.Fatal(chains)
	}
	if got := faults(chains[0].Faults); got != "missing gone -" {
		t.Error(got)
	}
	for minute, want := range map[int]string{-1: "", 0: "b", 5: "b", 10: "b b1", 15: "b b1", 20: "b b1 b2", 500: "b b1 b2"} {
		got, reaches := chains[1].Until(at(100 + minute))
		if ids(got) != want || want != "" && !reaches.Equal(got[len(got)-1].Taken) {
			t.Errorf("%d: %s %v", minute, ids(got), reaches)
		}
	}
	if got := ids(chains[1].Through("b1")); got != "b b1" {
		t.Error(got)
	}
}

func TestChainsOfALog(t *testing.T) {
	pieces := []Manifest{
		logSpan("l1", 1, 5, 20), full("f", 10, 10, 30), logSpan("s1", 5, 20, 22), logSpan("s2", 6, 22, 25), logSpan("l2", 12, 20, 40),
		logSpan("l3", 20, 40, 60), full("g", 25, 55, 55), logSpan("s3", 30, 60, 61), logSpan("s4", 31, 61, 62), logSpan("later", 50, 70, 80),
	}
	chains := Assemble(pieces)
	f, g := chains[0], chains[1]
	if ids(f.Pieces()) != "f l1 l2 l3 s3 s4" || ids(g.Pieces()) != "g l3 s3 s4" {
		t.Fatal(ids(f.Pieces()), "|", ids(g.Pieces()))
	}
	if got := faults(f.Faults); got != "missing  62-70" {
		t.Error(got)
	}
	if !f.Ends().Equal(at(31)) || !f.Begins().Equal(at(10)) {
		t.Error(f.Begins(), f.Ends())
	}
	for _, c := range []struct {
		minute  int
		want    string
		reaches int
	}{{9, "", 0}, {10, "f l1 l2", 10}, {11, "f l1 l2", 11}, {12, "f l1 l2 l3", 12}, {19, "f l1 l2 l3", 19}, {30, "f l1 l2 l3 s3 s4", 30}, {40, "f l1 l2 l3 s3 s4", 31}} {
		got, reaches := f.Until(at(c.minute))
		if ids(got) != c.want || c.want != "" && !reaches.Equal(at(c.reaches)) {
			t.Errorf("%d: %s %v", c.minute, ids(got), reaches)
		}
	}
	if got := ids(f.Through("f")); got != "f l1 l2" {
		t.Error(got)
	}
	exact := g
	exact.Full.Exact = place(61)
	if got := ids(exact.Through("g")); got != "g l3 s3" {
		t.Error(got)
	}
	exact.Full.Exact = place(64)
	if got := exact.Through("g"); got != nil {
		t.Error("the log does not go there", ids(got))
	}
	if got := ids(Superseded(pieces)); got != "s1 s2" {
		t.Error(got)
	}
}

func TestFullPieceThatItsLogIsMissingOf(t *testing.T) {
	c := Assemble([]Manifest{full("f", 10, 10, 30), logSpan("l1", 1, 5, 20)})[0]
	if pieces, _ := c.Until(time.Time{}); c.Whole() || pieces != nil || faults(c.Faults) != "missing  20-30" {
		t.Error(c.Whole(), ids(pieces), faults(c.Faults))
	}
}

func TestFaults(t *testing.T) {
	base := []Manifest{full("f", 10, 10, 30), logSpan("l1", 1, 5, 20), logSpan("l2", 11, 20, 40), logSpan("l3", 12, 40, 60)}
	if got := Faults(base[0], base); len(got) != 0 {
		t.Fatal(faults(got))
	}
	double, same := logSpan("d", 13, 20, 40), logSpan("e", 13, 20, 40)
	same.Content = "y" // d is as l2 was
	other, fork := logSpan("o", 14, 60, 70), logSpan("t2", 14, 50, 70)
	other.From.System, other.To.System = "another", "another"
	fork.From.Timeline, fork.To.Timeline = 2, 2
	short := logSpan("short", 13, 20, 40)
	short.Plain = 3
	for _, c := range []struct {
		name string
		with []Manifest
		want string
	}{
		{"missing", []Manifest{base[0], base[1], base[3]}, "missing  20-40"},
		{"double and different", slices.Concat(base, []Manifest{double, same}), "double e 20-40"},
		{"double and shorter", slices.Concat(base, []Manifest{short}), "double short 20-40"},
		{"double and the same", slices.Concat(base, []Manifest{logSpan("l2'", 13, 20, 40)}), ""},
		{"another system", slices.Concat(base, []Manifest{other}), "system o 60-70"},
		{"another timeline", slices.Concat(base, []Manifest{fork}), "forked t2 50-70"},
		{"another system with its own full piece", slices.Concat(base, []Manifest{other, {ID: "n", Type: TypeFull, Started: at(13), Taken: at(13), From: other.From, To: other.From}}), ""},
	} {
		if got := faults(Faults(base[0], c.with)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
