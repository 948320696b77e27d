package continuity

import (
	"net/netip"
	"strings"
	"time"
)

// Standby is a second upstream, to which requests are diverted. It does not
// know what the first one did: a request is sent to one of the two only.
type Standby struct {
	Upstream string // http://host:port, no path
	Timeouts Timeouts
	Moved    []string // addresses at which the same system was before
	// Path, Every, Down and Up are an active check as in Detect; an empty Path:
	// none, the standby is always tried.
	Path  string
	Every time.Duration
	Down  int
	Up    int
}

// Reply is what a route answers where neither upstream nor journal is asked.
type Reply struct {
	Cache    bool          // keep last good responses for readers
	Item     int64         // largest body that is kept
	Stale    time.Duration // how old a response may be that a reader gets
	Title    Said
	Text     Said
	Channels []Channel     // where people get on meanwhile
	After    time.Duration // Retry-After; 0: as for everything else
}

// Said is a text in both languages; either may be empty.
type Said struct{ En, Zh string }

// Channel is a standby channel: a name, and an address to follow or a text.
type Channel struct {
	Name Said
	URL  string
	Text Said
}

// Block refuses requests: those that one of each non-empty list fits. With all
// lists empty it refuses everything.
type Block struct {
	Reason    string         `json:"reason,omitempty"`
	Addresses []netip.Prefix `json:"addresses,omitempty"` // of clients
	Paths     []string       `json:"paths,omitempty"`     // as in Match
	Headers   []Field        `json:"headers,omitempty"`   // Value empty: any; ends in *: that beginning

	// Say makes the refusal one for a time: those whom it meets are told this, and to
	// come again.
	Say Said `json:"say,omitzero"`
}

// Matches reports whether the block refuses a request.
func (b *Block) Matches(address netip.Addr, path string, header []Field) bool {
	return (len(b.Addresses) == 0 || b.from(address)) && (len(b.Paths) == 0 || Match{Paths: b.Paths}.Matches("", "", path)) &&
		(len(b.Headers) == 0 || b.bears(header))
}

func (b *Block) from(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, p := range b.Addresses {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

func (b *Block) bears(header []Field) bool {
	for i := range header {
		for _, want := range b.Headers {
			if !strings.EqualFold(header[i].Name, want.Name) {
				continue
			}
			beginning, open := strings.CutSuffix(want.Value, "*")
			if want.Value == "" || open && strings.HasPrefix(header[i].Value, beginning) || header[i].Value == want.Value {
				return true
			}
		}
	}
	return false
}

// Partial reports whether the route holds a share of its keys only.
func (h *Hold) Partial() bool { return h.Share > 0 && h.Share < 1 }

// Shares reports whether a key is in the share of keys that the route holds.
// A larger share holds all keys of a smaller one.
func (h *Hold) Shares(k KeyTag) bool {
	return !h.Partial() || float64(k>>11) < h.Share*float64(1<<53)
}
