package stale

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"

	"holdfast/internal/continuity"
)

// Policy says how long a stored response may be given.
type Policy struct {
	fresh   time.Duration // its freshness lifetime
	beyond  time.Duration // how long after that it may be given stale; negative: not at all
	public  bool          // also to requests that bear credentials
	age     time.Duration // when it was received
	vary    []string      // names of request fields, lower case, sorted
	arrived time.Time
}

// unbounded is a stale time that nobody bounds.
const unbounded = time.Duration(1<<63 - 1)

// Storable reports whether a shared cache may store the response to a GET, and
// how long it may be given then. It looks at heads only.
func Storable(request []continuity.Field, status int, response []continuity.Field, now time.Time) (Policy, bool) {
	if status != http.StatusOK {
		return Policy{}, false
	}
	asked, err := cacheobject.ParseRequestCacheControl(all(request, "Cache-Control"))
	if err != nil || asked.NoStore {
		return Policy{}, false
	}
	said, err := cacheobject.ParseResponseCacheControl(all(response, "Cache-Control"))
	if err != nil || said.NoStore || said.NoCachePresent || said.PrivatePresent {
		return Policy{}, false
	}
	if _, sets := find(response, "Set-Cookie"); sets || credentials(request) && !said.Public {
		return Policy{}, false
	}
	p := Policy{public: said.Public, beyond: unbounded, arrived: now}
	for name := range strings.SplitSeq(all(response, "Vary"), ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "":
		case "*":
			return Policy{}, false
		default:
			p.vary = append(p.vary, name)
		}
	}
	slices.Sort(p.vary)
	p.vary = slices.Compact(p.vary)
	date := now
	if text, ok := find(response, "Date"); ok {
		if at, err := http.ParseTime(text); err == nil {
			date = at
		}
	}
	p.age = max(0, now.Sub(date))
	if text, ok := find(response, "Age"); ok {
		if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31); err == nil {
			p.age = max(p.age, seconds(n))
		}
	}
	switch expires, stated := find(response, "Expires"); {
	case said.SMaxAge >= 0:
		p.fresh = seconds(uint64(said.SMaxAge)) // #nosec G115 -- not negative
	case said.MaxAge >= 0:
		p.fresh = seconds(uint64(said.MaxAge)) // #nosec G115 -- not negative
	case stated:
		if at, err := http.ParseTime(expires); err == nil {
			p.fresh = max(0, at.Sub(date))
		}
	}
	switch {
	case said.MustRevalidate || said.ProxyRevalidate || said.SMaxAge >= 0:
		p.beyond = -1
	case said.StaleIfError >= 0:
		p.beyond = seconds(uint64(said.StaleIfError)) // #nosec G115 -- not negative
	}
	return p, p.fresh > 0 || p.beyond >= 0
}

// ForEverybody reports whether a response states that shared caches may give it
// to everybody. What can't be read may state it.
func ForEverybody(response []continuity.Field) bool {
	stated := all(response, "Cache-Control")
	if stated == "" {
		return false
	}
	said, err := cacheobject.ParseResponseCacheControl(stated)
	switch {
	case err != nil:
		return true
	case said.NoStore || said.PrivatePresent:
		return false
	}
	return said.Public || said.SMaxAge >= 0 || said.MaxAge > 0
}

// Public reports whether the response is said to be for everybody.
func (p *Policy) Public() bool { return p.public }

// current is how old the response is (RFC 9111, 4.2.3).
func (p *Policy) current(now time.Time) time.Duration { return p.age + max(0, now.Sub(p.arrived)) }

// may reports whether the response may be given, at most that old.
func (p *Policy) may(now time.Time, oldest time.Duration) bool {
	age := p.current(now)
	return age <= p.fresh || p.beyond >= 0 && age <= oldest && age-p.fresh <= p.beyond
}

// mostSeconds keeps what an origin states from overflowing; it is some 68 years.
const mostSeconds = 1<<31 - 1

func seconds(n uint64) time.Duration {
	return time.Duration(min(n, mostSeconds)) * time.Second // #nosec G115 -- bounded
}

// credentials reports whether a request says who sends it.
func credentials(request []continuity.Field) bool {
	_, authorized := find(request, "Authorization")
	_, cookie := find(request, "Cookie")
	return authorized || cookie
}

func find(header []continuity.Field, name string) (string, bool) {
	for i := range header {
		if len(header[i].Name) == len(name) && strings.EqualFold(header[i].Name, name) {
			return header[i].Value, true
		}
	}
	return "", false
}

// all joins the values of a field that is a list.
func all(header []continuity.Field, name string) string {
	text := ""
	for i := range header {
		if len(header[i].Name) == len(name) && strings.EqualFold(header[i].Name, name) {
			if text != "" {
				text += ", "
			}
			text += header[i].Value
		}
	}
	return text
}
