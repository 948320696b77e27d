package continuity

// Sensitive says what of a request is never stored. Card numbers and
// verification codes refuse the hold unless Allow says otherwise.
type Sensitive struct {
	Fields  []string // JSON pointers into the body; * stands for any name or index
	Headers []string
	Query   []string // names of query parameters
	// Drop takes the fields above out before a request is stored; otherwise they
	// refuse the hold. Card numbers and codes that were not named always refuse.
	Drop bool
	// Numbers are JSON pointers to numbers that may look like a card's. The
	// route's key and identity fields count among them.
	Numbers []string
	// Allow says that nobody looks for card numbers and verification codes.
	Allow bool
}
