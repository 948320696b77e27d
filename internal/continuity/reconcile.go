package continuity

import "time"

// Reconcile says how a route's records are compared with the upstream's own list.
type Reconcile struct {
	Driver   string // sqlite, postgres, mysql or http
	DSN      string // resolved; never printed; with http the URL of the list's first page
	Query    string // one row for each thing: key, and if wanted amount, currency; empty with http
	Methods  []string
	Amount   string // JSON pointer to the amount in the record's body; empty: not compared
	Currency Currency
	Pages    *Pages // with http
	// Applied gives the Idempotency-Keys of all requests that the upstream has
	// processed, for what is brought back after a restore; empty: keys alone tell.
	Applied string
}

// Currency says where a record's currency stands: in its body, or in the
// configuration. Both empty: it has none.
type Currency struct {
	Pointer string // JSON pointer into the record's body
	Code    string // of every record
}

// Pages says how the upstream lists what it has over HTTP, in JSON documents.
// Pointers are JSON pointers (RFC 6901).
type Pages struct {
	Token    string // sent as a bearer token; resolved, never printed; empty: none
	Items    string // to the list in a page; empty: the page is the list
	Key      string // in an item
	Amount   string // in an item; empty: not compared
	Currency string // in an item; empty: none
	Next     string // in a page, to where the next one is; empty: there is one page
	Cursor   string // the query parameter that takes what Next points to; empty: it is a URL
}

// Settlement says how to read the files by which a payment provider accounts
// for a day. Columns are named as in the file's heading.
type Settlement struct {
	Key      string
	Amount   string
	Fee      string // empty: not listed
	Net      string // amount less fee; empty: not listed
	Currency string // a column; empty: Code
	Code     string
	Comma    rune
	Encoding string // utf-8 or gb18030

	// A day's file covers what was delivered in the day that ends at Cutoff after
	// midnight (0: at the midnight that ends it), by clocks in Zone.
	Cutoff time.Duration
	Zone   *time.Location
	// Slack is how far the provider's clock and ours may be apart: what was
	// delivered this close to the end may stand in the next day's file.
	Slack time.Duration
	// Body of a record: JSON pointer to its amount; its currency.
	RecordAmount   string
	RecordCurrency Currency
	Methods        []string
}
