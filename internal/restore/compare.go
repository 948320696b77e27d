package restore

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Listed is what the upstream's own list says it has.
type Listed struct {
	// Applied are the Idempotency-Keys that it has processed; nil: it does not
	// say. Rows counts what it has under each ordering key, without Applied.
	Applied map[string]struct{}
	Rows    map[string]int
}

// Compared parts the requests by what the upstream knows of them.
type Compared struct {
	There     []Request
	Missing   []Request // in order
	Again     []Request // of those missing: perhaps there; a repeat changes nothing
	Undecided []Request // perhaps there, and a repeat could be processed twice
}

// Compare decides what is missing. With the Idempotency-Keys it is exact. With
// the ordering keys alone, a key that the upstream does not know has lost all;
// of one that it knows, creations count as there as far as there are rows, and
// whatever changed it later is sent again if a repeat is harmless: then it comes
// to the same whether the upstream has it or not.
func Compare(route *continuity.Route, requests []Request, l Listed, now time.Time) Compared {
	var c Compared
	created := map[string]int{}
	for _, r := range requests {
		if l.Applied != nil {
			if _, ok := l.Applied[r.IdempotencyKey]; ok {
				c.There = append(c.There, r)
			} else {
				c.Missing = append(c.Missing, r)
			}
			continue
		}
		rows, known := l.Rows[r.Key]
		creates := route.Reconcile != nil && slices.Contains(route.Reconcile.Methods, r.Method)
		switch {
		case !known || rows == 0:
			c.Missing = append(c.Missing, r)
		case creates && created[r.Key] < rows:
			created[r.Key]++
			c.There = append(c.There, r)
		case harmless(route, now.Sub(r.At)):
			c.Missing = append(c.Missing, r)
			c.Again = append(c.Again, r)
		default:
			c.Undecided = append(c.Undecided, r)
		}
	}
	return c
}

// harmless reports whether a repeat of what was first sent this long ago changes
// nothing.
func harmless(route *continuity.Route, ago time.Duration) bool {
	switch route.Identity.By {
	case continuity.IdempotentNatural:
		return true
	case continuity.IdempotentKey:
		return ago < route.Identity.Remembers
	default:
		return false
	}
}
