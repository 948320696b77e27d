package relay

import (
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/sensitive"
)

// RouteReport is what a route in observe saw: what holding would mean for it.
// Counts are of requests since Since.
type RouteReport struct {
	Route         string    `json:"route"`
	Since         time.Time `json:"since"`
	Share         float64   `json:"share,omitempty"` // of keys that are held already, and not counted here
	Requests      int64     `json:"requests"`
	Holdable      int64     `json:"holdable"`       // of a method that would be held
	Keepable      int64     `json:"keepable"`       // and nothing speaks against it
	WouldHold     int64     `json:"would_hold"`     // and the upstream failed them
	LackKey       int64     `json:"lack_key"`       // no ordering key
	LackIdentity  int64     `json:"lack_identity"`  // a repeat would not be recognised
	BadBody       int64     `json:"bad_body"`       // not strict JSON where the route reads it
	TooLarge      int64     `json:"too_large"`      // over the item limit
	Excepted      int64     `json:"excepted"`       // the route never holds them
	Credentials   int64     `json:"credentials"`    // bear credentials, which are not stored
	Understanding int64     `json:"not_understand"` // their client would not understand the answer
	Clients       []Seen    `json:"clients"`        // of those, by what they call themselves
	Sensitive     []Seen    `json:"sensitive"`      // fields that look sensitive, with how often
	Scanned       int64     `json:"scanned"`        // bodies searched for them
}

// Seen is a name and how often it was seen.
type Seen struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	Count int64  `json:"count"`
}

// Report returns what every route in observe saw.
func (e *Engine) Report() []RouteReport {
	reports := []RouteReport{}
	for _, r := range e.table.Load().routes {
		if r.Hold.State == continuity.HoldObserve || r.Hold.State == continuity.HoldOn && r.Hold.Partial() {
			report := r.seen.report(r.ID)
			if r.Hold.State == continuity.HoldOn {
				report.Share = r.Hold.Share
			}
			reports = append(reports, report)
		}
	}
	return reports
}

// Bounds of a collector.
const (
	manyNames  = 50
	longName   = 80
	scanBytes  = 64 << 10
	scanEach   = 20 * time.Millisecond // at most fifty bodies a second are searched
	otherNames = "…"                   // all that found no room
)

// collector counts for one route.
type collector struct {
	mu        sync.Mutex
	counts    RouteReport
	clients   map[string]int64
	sensitive map[Seen]int64
	scanned   time.Time
}

func newCollector() *collector {
	return &collector{counts: RouteReport{Since: time.Now()}, clients: make(map[string]int64), sensitive: make(map[Seen]int64)}
}

func (c *collector) passed() {
	c.mu.Lock()
	c.counts.Requests++
	c.mu.Unlock()
}

func (c *collector) wouldHold() {
	c.mu.Lock()
	c.counts.WouldHold++
	c.mu.Unlock()
}

// saw takes a request of a held method into account.
func (c *collector) saw(f *flight) {
	f.readFacts()
	keepable := f.keepable() == nil
	understood := f.declared() && understands(f.req, f.route.answer.contentType)
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.counts
	n.Requests++
	n.Holdable++
	count := func(to *int64, yes bool) {
		if yes {
			*to++
		}
	}
	count(&n.Keepable, keepable)
	count(&n.TooLarge, !f.whole)
	count(&n.BadBody, f.factsErr != nil)
	count(&n.Excepted, f.facts.Excepted)
	count(&n.LackKey, f.whole && f.factsErr == nil && f.facts.Ordered && !f.facts.HasKey)
	count(&n.LackIdentity, !f.known)
	count(&n.Credentials, f.route.credentials(f.req.Header))
	if !understood {
		n.Understanding++
		add(c.clients, product(f.req.Get("User-Agent")))
	}
	if now := time.Now(); f.whole && len(f.body) > 0 && len(f.body) <= scanBytes && now.Sub(c.scanned) >= scanEach {
		c.scanned = now
		n.Scanned++
		c.search(f.body)
	}
}

// search counts what looks sensitive in a body, each field once; c.mu is held.
func (c *collector) search(body []byte) {
	var here []Seen
	sensitive.Report(body, func(x sensitive.Finding) {
		s := Seen{Name: x.Where, Kind: x.Kind}
		if len(s.Name) > longName || len(here) >= manyNames || slices.Contains(here, s) {
			return
		}
		here = append(here, s)
		if _, there := c.sensitive[s]; !there && len(c.sensitive) >= manyNames {
			s = Seen{Name: otherNames}
		}
		c.sensitive[s]++
	})
}

func add(names map[string]int64, name string) {
	if _, there := names[name]; !there {
		if len(names) >= manyNames {
			name = otherNames
		} else {
			name = strings.Clone(name)
		}
	}
	names[name]++
}

func (c *collector) report(route string) RouteReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.counts
	r.Route, r.Clients, r.Sensitive = route, []Seen{}, []Seen{}
	for name, n := range c.clients {
		r.Clients = append(r.Clients, Seen{Name: name, Count: n})
	}
	for s, n := range c.sensitive {
		s.Count = n
		r.Sensitive = append(r.Sensitive, s)
	}
	for _, list := range [][]Seen{r.Clients, r.Sensitive} {
		slices.SortFunc(list, func(a, b Seen) int {
			if a.Count != b.Count {
				return int(b.Count - a.Count)
			}
			return strings.Compare(a.Name+a.Kind, b.Name+b.Kind)
		})
	}
	return r
}

// understands reports whether a client's Accept takes the answer's media type.
func understands(req *http1.Request, contentType string) bool {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	kind, _, _ := strings.Cut(media, "/")
	accepts := false
	for _, f := range req.Header {
		if !strings.EqualFold(f.Name, "Accept") {
			continue
		}
		accepts = true
		for item := range strings.SplitSeq(strings.ToLower(f.Value), ",") {
			item, parameters, _ := strings.Cut(item, ";")
			item = strings.TrimSpace(item)
			if strings.Contains(strings.ReplaceAll(parameters, " ", "")+";", "q=0;") {
				continue
			}
			// A browser's */* is its last resort: a page is what it can show.
			if item == media || item == kind+"/*" || item == "*/*" && !strings.HasPrefix(req.Get("User-Agent"), "Mozilla/") {
				return true
			}
		}
	}
	return !accepts
}

// product is what a client calls itself, without its version.
func product(agent string) string {
	name, _, _ := strings.Cut(agent, "/")
	name, _, _ = strings.Cut(name, " ")
	if name == "" {
		return "-"
	}
	return name[:min(len(name), longName)]
}
