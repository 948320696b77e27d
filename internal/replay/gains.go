package replay

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

const (
	gainsTracked = 256
	gainsShown   = 10
	gainsWindow  = 10 * time.Second
	gainsLeast   = 3 // records; fewer in a window are chance
)

// Gaining is a key that gains faster than it drains.
type Gaining struct {
	Key     continuity.KeyTag `json:"key,string"` // more digits than a JSON number keeps
	In      int               `json:"in"`         // records that joined it in the last window
	Out     int               `json:"out"`        // records that ended
	Seconds float64           `json:"seconds"`
}

// gains finds the keys that gain most, in bounded memory (Misra-Gries): what
// makes up more than a part in gainsTracked of all arrivals is not missed.
type gains struct {
	mu    sync.Mutex
	keys  map[continuity.KeyTag]*Gaining
	began time.Time
	last  []Gaining
}

func (g *gains) in(key continuity.KeyTag) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k, ok := g.keys[key]; ok {
		k.In++
		return
	}
	if g.keys == nil {
		g.keys = make(map[continuity.KeyTag]*Gaining)
	}
	if len(g.keys) < gainsTracked {
		g.keys[key] = &Gaining{Key: key, In: 1}
		return
	}
	for tag, k := range g.keys {
		if k.In--; k.In == 0 {
			delete(g.keys, tag)
		}
	}
}

func (g *gains) out(key continuity.KeyTag) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k, ok := g.keys[key]; ok {
		k.Out++
	}
}

// roll closes the window if its time is over.
func (g *gains) roll(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.began.IsZero() {
		g.began = now
	}
	took := now.Sub(g.began)
	if took < gainsWindow {
		return
	}
	g.began, g.last = now, nil
	for _, k := range g.keys {
		if k.In >= gainsLeast && k.In > k.Out {
			k.Seconds = took.Seconds()
			g.last = append(g.last, *k)
		}
	}
	slices.SortFunc(g.last, func(a, b Gaining) int {
		return cmp.Or(cmp.Compare(b.In-b.Out, a.In-a.Out), cmp.Compare(a.Key, b.Key))
	})
	g.last = slices.Clip(g.last[:min(len(g.last), gainsShown)])
	clear(g.keys)
}

func (g *gains) top() []Gaining {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.last)
}
