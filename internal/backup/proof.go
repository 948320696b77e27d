package backup

import (
	"cmp"
	"slices"
	"time"
)

// Proof tells what the newest restore of a piece for proof's sake found. It is signed,
// and lies beside the file.
type Proof struct {
	Format  int       `json:"format"`
	Service string    `json:"service"`
	Set     string    `json:"set"`
	Piece   string    `json:"piece"`  // whose figures were to be found again
	SHA256  string    `json:"sha256"` // of its file
	Pieces  []string  `json:"pieces"` // what was restored, in order
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`

	Good    bool              `json:"good"`
	Failed  string            `json:"failed,omitempty"` // code of the error that ended it
	Reason  string            `json:"reason,omitempty"` // the error's words, for people who mend it
	Broken  string            `json:"broken,omitempty"` // id of the piece that is not what it has to be, where that is known
	Found   []Compared        `json:"found,omitempty"`
	Reached Position          `json:"reached,omitzero"`
	Moment  time.Time         `json:"moment,omitzero"`
	Speed   Speed             `json:"speed"`
	With    map[string]string `json:"with"` // versions of what restored it
}

// Speed is what a restore took.
type Speed struct {
	Bytes   int64   `json:"bytes"`   // of the files that were read
	Restore float64 `json:"restore"` // seconds until it could be asked
	Figures float64 `json:"figures"` // seconds of asking
}

// Compared is a figure as it was to be and as it was found.
type Compared struct {
	Of      string `json:"of"`
	Measure string `json:"measure"`
	Want    string `json:"want"`
	Got     string `json:"got"`
	Good    bool   `json:"good"`
}

// Measures that mean something to whoever compares.
const (
	MeasureRows   = "rows"
	MeasureTables = "tables" // of a database; what agrees where it has none
	MeasureResult = "result" // of the plan's own queries
)

// Compare holds what was found in restored data against what was recorded at capture.
// A query that says what it expects is held against that; one that was not asked at
// capture and expects nothing says nothing. Good says that all agree, and that there was
// something to agree on.
func Compare(recorded, found []Figure, queries []Query) (all []Compared, good bool) {
	type name struct{ of, measure string }
	want, got := map[name]string{}, map[name]string{}
	asked, counted := map[name]bool{}, false
	for _, f := range recorded {
		want[name{f.Of, f.Measure}] = f.Value
		counted = counted || f.Measure == MeasureRows || f.Measure == MeasureTables
	}
	for _, f := range found {
		got[name{f.Of, f.Measure}] = f.Value
	}
	for _, q := range queries {
		n := name{q.ID, MeasureResult}
		asked[n] = true
		if _, known := want[n]; q.Expect != "" || known {
			want[n] = cmp.Or(q.Expect, want[n])
		} else {
			delete(got, n)
		}
	}
	for n, w := range want {
		if n.measure == MeasureResult && !asked[n] {
			continue // the plan asks it no more
		}
		g, there := got[n]
		all = append(all, Compared{Of: n.of, Measure: n.measure, Want: w, Got: g, Good: there && g == w})
	}
	for n, g := range got {
		// What has rows now and is not known to have been there. Of other measures not all
		// are taken at each capture.
		if _, known := want[n]; !known && n.measure == MeasureRows && counted {
			all = append(all, Compared{Of: n.of, Measure: n.measure, Got: g})
		}
	}
	slices.SortFunc(all, func(a, b Compared) int {
		return cmp.Or(cmp.Compare(a.Of, b.Of), cmp.Compare(a.Measure, b.Measure))
	})
	return all, len(all) > 0 && !slices.ContainsFunc(all, func(c Compared) bool { return !c.Good })
}

// State is what is known by proofs of a chain, or of a part of it.
type State string

// What is known by proofs.
const (
	Unproven State = "unproven"
	Proven   State = "proven"
	Refuted  State = "refuted" // the newest restore of it failed
)

// Proved says what proofs tell of pieces of a chain, in order: the newest proof of the last
// one that is no log counts, and a bad one of what comes before it, if it is newer.
func Proved(pieces []Manifest, proofs []Proof) (State, Proof) {
	i := lastOwn(pieces)
	proof, known := newest(pieces[i], proofs)
	if known && !proof.Good {
		return Refuted, proof
	}
	for _, p := range pieces[:i] {
		if was, ok := newest(p, proofs); ok && !was.Good && was.Ended.After(proof.Ended) {
			return Refuted, was
		}
	}
	if !known {
		return Unproven, Proof{}
	}
	return Proven, proof
}

func lastOwn(pieces []Manifest) int {
	i := len(pieces) - 1
	for i > 0 && pieces[i].Type == TypeLog {
		i--
	}
	return i
}

func newest(p Manifest, proofs []Proof) (Proof, bool) {
	var best Proof
	for _, proof := range proofs {
		if proof.Piece == p.ID && proof.SHA256 == p.SHA256 && !proof.Ended.Before(best.Ended) {
			best = proof
		}
	}
	return best, best.Piece != ""
}
