package notices

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"time"

	"holdfast/internal/notices/extract"
)

// Source is a place where a provider tells of its work and its faults.
type Source interface {
	// Read returns what is there now. from is where the last look ended, as the
	// source itself said then; nil: this is the first one.
	Read(ctx context.Context, from json.RawMessage) (Look, error)
}

// Look is what a source has.
type Look struct {
	Items []Item
	Next  json.RawMessage // where the next look begins
	Same  bool            // nothing has changed, and Items are not given
	Whole bool            // Items are all that is open: what is missing is over
	Left  int             // announcements that could not be read
}

// Item is one announcement.
type Item struct {
	Key     string // the same whenever the announcement comes again
	Title   string
	Text    string // plain
	URL     string
	Written time.Time // zero: not known
	Stated  Stated    // what stands in fields, and need not be read in a text
	Doubts  []string
	Quiet   bool // the first sight of a place where news will appear
}

// Stated is what a source says in fields.
type Stated struct {
	Kind     extract.Kind
	Level    extract.Level
	Start    time.Time
	End      time.Time
	Affected []string // as the provider names it
}

// Spec is a source of a plan.
type Spec struct {
	Service    string
	ID         string
	Kind       string // of notices/kinds
	Provider   string
	URL        string
	Selector   string   // of a page
	Components []string // those of a status page that count; none: all
	Server     string   // of a mailbox
	User       string
	Folder     string
	From       []string
	Pattern    *regexp.Regexp // what counts
	Zone       *time.Location // of times without one
	About      []string       // the plan's components, where a notice names none
	Level      extract.Level  // where a notice says none
	Every      time.Duration
	Auth       Secret
	AuthRef    string // names where Auth is fetched from; empty: there is none
	Trust      Trust
	Allow      []string       // private addresses that its plan names
	Names      []extract.Name // what notices may speak of
}

// Secret fetches what stands in no plan; nil where there is none.
type Secret func() (string, error)

// Trust is which certificates count; empty: the system's.
type Trust struct{ Name, CA, Certificate, Key string }

// Ref is a source's id over all plans.
func (s *Spec) Ref() string { return s.Service + "/" + s.ID }

// Tools are what sources reach the world with: where a source may connect to is
// what the node allows, and of private addresses what its plan names.
type Tools struct {
	Client func(*Spec) (*http.Client, error)
	Dial   func(*Spec) func(ctx context.Context, network, address string) (net.Conn, error)
	TLS    func(s *Spec, host string) (*tls.Config, error)
	Now    func() time.Time
}

// maxItems bounds what is taken of one look.
const maxItems = 200

// Bound cuts a list of items to what is taken.
func Bound(items []Item) []Item { return items[:min(len(items), maxItems)] }
