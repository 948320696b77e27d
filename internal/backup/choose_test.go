package backup

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func proof(p Manifest, minute int, good bool) Proof {
	return Proof{Piece: p.ID, SHA256: p.SHA256, Good: good, Ended: at(minute), Speed: Speed{Bytes: 100, Restore: 10}}
}

func said(all []Candidate) string {
	var words []string
	for _, c := range all {
		words = append(words, c.Set+"@"+c.Target+":"+c.Pieces[0].ID+"("+strings.Join(c.Reasons, ",")+")")
	}
	return strings.Join(words, " ")
}

func TestChoose(t *testing.T) {
	f, g, daily := full("f", 10, 10, 30), full("g", 100, 200, 200), full("d", 290, 0, 0)
	live := []Manifest{f, logSpan("l1", 100, 5, 200), g, logSpan("l2", 300, 200, 400)}
	offers := []Offer{
		{Set: "orders", Target: "near", Chains: Assemble(live), Proofs: []Proof{proof(f, 20, true)}},
		{Set: "orders", Target: "far", Chains: Assemble([]Manifest{daily, full("e", 150, 0, 0)}), Proofs: []Proof{proof(daily, 295, false), {Piece: "e", SHA256: "e", Good: true, Ended: at(160)}}},
		{Set: "goods", Target: "near", Chains: Assemble([]Manifest{daily})},
	}
	got := Choose(offers, at(295), at(400))
	want := "orders@near:f(real-time,proven) orders@near:g(real-time,unproven) " +
		"orders@far:e(snapshot,proven,loses,unmeasured) orders@far:d(snapshot,refuted,loses,unmeasured) goods@near:d(snapshot,unproven,loses,unmeasured)"
	if said(got) != want {
		t.Errorf("%s\n want %s", said(got), want)
	}
	if c := got[0]; !c.Reaches.Equal(at(295)) || c.Loss != 0 || c.Bytes != 102 || c.Takes != 10200*time.Millisecond || !c.ProvenAt.Equal(at(20)) {
		t.Errorf("%+v", c)
	}
	if c := got[2]; c.Loss != 145*time.Minute || !c.Reaches.Equal(at(150)) {
		t.Errorf("%+v", c)
	}
	if got := Choose(offers, at(5), at(400)); len(got) != 0 {
		t.Error("brought back to before there was anything", said(got))
	}
	// Without a moment it is the newest that is wanted.
	if got := Choose(offers[:1], time.Time{}, at(310)); !got[0].Reaches.Equal(at(300)) || got[0].Loss != 10*time.Minute {
		t.Errorf("%+v", got[0])
	}
}

// TestChooseAfterFollowingEnded holds a log that ended long ago behind what was taken since.
func TestChooseAfterFollowingEnded(t *testing.T) {
	old, daily := full("f", 10, 10, 30), full("d", 5000, 0, 0)
	chains := Assemble([]Manifest{old, logSpan("l1", 50, 5, 200), logSpan("l2", 70, 210, 220), daily})
	got := said(Choose([]Offer{{Set: "orders", Target: "near", Chains: chains, Proofs: []Proof{proof(daily, 5001, true)}}}, at(6000), at(6000)))
	if want := "orders@near:d(snapshot,proven,loses) orders@near:f(snapshot,unproven,loses,cut)"; got != want {
		t.Errorf("%s\n want %s", got, want)
	}
}

func TestProved(t *testing.T) {
	b := []Manifest{full("b", 0, 0, 0), delta("d1", "b", "b", 10), delta("d2", "b", "d1", 20)}
	good := func(i int) Proof { return proof(b[i], 30, true) }
	for _, c := range []struct {
		name   string
		of     []Manifest
		proofs []Proof
		want   State
		whole  State
	}{
		{"nobody tried", b, nil, Unproven, Unproven},
		{"the last", b, []Proof{good(2)}, Proven, Proven},
		{"the one before", b, []Proof{good(1)}, Unproven, Proven},
		{"the full one is bad since", b, []Proof{good(2), proof(b[0], 40, false)}, Refuted, Refuted},
		{"the full one is bad", b[:2], []Proof{proof(b[0], 40, false)}, Refuted, Refuted},
		{"bad, then good", b, []Proof{proof(b[2], 40, false), proof(b[2], 50, true)}, Proven, Proven},
		{"good, then bad", b, []Proof{proof(b[2], 50, true), proof(b[2], 60, false)}, Refuted, Refuted},
		{"of another file", b[:1], []Proof{{Piece: "b", SHA256: "other", Good: true}}, Unproven, Unproven},
	} {
		if got, _ := Proved(c.of, c.proofs); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := StateOf(Assemble(c.of)[0], c.proofs); got != c.whole {
			t.Errorf("%s: the chain is %s, want %s", c.name, got, c.whole)
		}
	}
}

func TestCompare(t *testing.T) {
	rows := Figure{"orders", "rows", "10"}
	none := Figure{"database", MeasureTables, "0"}
	asked := Figure{"late", MeasureResult, "3"}
	expects := []Query{{ID: "late", Expect: "4"}}
	for _, c := range []struct {
		name        string
		want, found []Figure
		queries     []Query
		good        bool
		bad         string
	}{
		{"the same", []Figure{rows}, []Figure{rows}, nil, true, ""},
		{"no table, as there was none", []Figure{none}, []Figure{none}, nil, true, ""},
		{"a table where there was none", []Figure{none}, []Figure{{"database", MeasureTables, "1"}, rows}, nil, false, "database"},
		{"tables that were not counted at capture", []Figure{rows}, []Figure{rows, {"database", MeasureTables, "1"}}, nil, true, ""},
		{"nothing to compare", nil, nil, nil, false, ""},
		{"another", []Figure{rows}, []Figure{{"orders", "rows", "9"}}, nil, false, "orders"},
		{"missing", []Figure{rows}, nil, nil, false, "orders"},
		{"more than there was", []Figure{rows}, []Figure{rows, {"goods", "rows", "0"}}, nil, false, "goods"},
		{"what was not measured at capture", []Figure{rows}, []Figure{rows, {"orders", "orphans", "0"}}, nil, true, ""},
		{"rows that were not counted at capture", []Figure{asked}, []Figure{asked, rows}, []Query{{ID: "late"}}, true, ""},
		{"a query as at capture", []Figure{rows, asked}, []Figure{rows, asked}, []Query{{ID: "late"}}, true, ""},
		{"a query that expects something else", []Figure{rows, asked}, []Figure{rows, asked}, expects, false, "late"},
		{"a query that says what it expects", []Figure{rows}, []Figure{rows, {"late", MeasureResult, "4"}}, expects, true, ""},
		{"a query that is new and expects nothing", []Figure{rows}, []Figure{rows, asked}, []Query{{ID: "late"}}, true, ""},
		{"a query that the plan asks no more", []Figure{rows, asked}, []Figure{rows}, nil, true, ""},
	} {
		all, good := Compare(c.want, c.found, c.queries)
		i := slices.IndexFunc(all, func(c Compared) bool { return !c.Good })
		bad := ""
		if i >= 0 {
			bad = all[i].Of
		}
		if good != c.good || bad != c.bad {
			t.Errorf("%s: %v %+v", c.name, good, all)
		}
	}
}
