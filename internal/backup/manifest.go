package backup

import "time"

// Types of pieces, as they stand in names of files.
const (
	TypeFull  = "full"  // everything at a moment
	TypeDelta = "delta" // what changed since the piece before
	TypeLog   = "log"   // a span of a log of changes
)

// Manifest tells what a piece is. It is signed, and lies beside the file.
type Manifest struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"` // short, and unique in its data set
	Service string    `json:"service"`
	Set     string    `json:"set"`
	Type    string    `json:"type"`
	Driver  string    `json:"driver"`
	Base    string    `json:"base,omitempty"`   // id of the full piece that it goes with
	Parent  string    `json:"parent,omitempty"` // id of the piece that a delta changes
	Number  int       `json:"number,omitempty"` // of a full piece: greater than of those before it, whatever the clocks said
	Started time.Time `json:"started"`
	Taken   time.Time `json:"taken"` // the moment to which it brings back; of a log, its newest change
	// From and To are the span of a log. Of a full piece: it needs the log from From to To
	// to be whole, and whatever goes on from To is the log behind it. Where both are the
	// same it needs none; where both are zero nothing can be behind it.
	From Position `json:"from,omitzero"`
	To   Position `json:"to,omitzero"`

	Versions map[string]string `json:"versions"` // holdfast, and of the driver's servers and programs

	File   string `json:"file"`   // name, without its folder
	Bytes  int64  `json:"bytes"`  // of the file
	SHA256 string `json:"sha256"` // of the file, in hexadecimal
	Plain  int64  `json:"plain"`  // bytes of the stream
	// Content is a keyed hash of the stream: pieces of one set and key that have the same
	// one hold the same.
	Content string `json:"content,omitempty"`
	Key     string `json:"key"` // id of the key that opens it

	Figures []Figure `json:"figures,omitempty"` // of the data at Exact
	Exact   Position `json:"exact,omitzero"`    // where the figures held; at or after To
}

// Position is a place in the changes of a source. Compare says how places are ordered:
// drivers write At so that it is right.
type Position struct {
	System   string `json:"system,omitempty"` // whose: another one's positions mean nothing here
	Timeline uint32 `json:"timeline,omitempty"`
	At       string `json:"at,omitempty"` // in the driver's words: 0/3000060, mariadb-bin.000003:1234
}

// Figure is a number by which data that was restored is known to be the data that was
// captured.
type Figure struct {
	Of      string `json:"of"`      // a table, a folder, a query of the plan
	Measure string `json:"measure"` // tables, rows, hash, orphans, files, bytes, integrity, result
	Value   string `json:"value"`
}

// Query is a question of a plan about restored data.
type Query struct {
	ID     string `json:"id"`
	SQL    string `json:"sql"`
	Expect string `json:"expect,omitempty"` // the only value of the only row; empty: as at capture
}
