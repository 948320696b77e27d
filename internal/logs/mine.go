package logs

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Bounds of what is learnt.
const (
	maxTemplates = 2000
	maxWords     = 48
	maxWord      = 64
	maxTemplate  = 400
	branches     = 64 // of a node; what comes later shares one
	similarity   = 0.6
	rareUpTo     = 5 // a template that was seen no oftener is rare
)

// Template is a kind of lines.
type Template struct {
	ID    string    `json:"id"`
	Words []string  `json:"words"`
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Text is the template as people read it.
func (t *Template) Text() string { return strings.Join(t.Words, " ") }

// Rare says whether it was seen seldom.
func (t *Template) Rare() bool { return t.Count <= rareUpTo }

// miner finds templates.
type miner struct {
	leaves map[key]*leaf
	heads  map[int]map[string]bool // first words by the number of words
	used   *list.List              // of templates, the one seen last in front
	limit  int
	gone   int64 // that were pushed out
}

// key is the way to a leaf: the number of words and the first of them.
type key struct {
	words int
	first string
}

type leaf struct{ templates []*list.Element }

func newMiner(limit int) *miner {
	return &miner{leaves: map[key]*leaf{}, heads: map[int]map[string]bool{}, used: list.New(), limit: limit}
}

// words cuts a masked line. What is too long is one kind with what begins alike.
func words(line string) []string {
	all := strings.Fields(line)
	if len(all) > maxWords {
		all = append(all[:maxWords:maxWords], anything)
	}
	size := 0
	for i, w := range all {
		if len(w) > maxWord {
			all[i] = strings.ToValidUTF8(w[:maxWord], "") + "…"
		}
		if size += len(all[i]) + 1; size > maxTemplate {
			return append(all[:i:i], anything)
		}
	}
	if len(all) == 0 {
		return []string{""}
	}
	return all
}

// way is where templates of such words are kept.
func (m *miner) way(all []string) key {
	first := all[0]
	if strings.Contains(first, "<") { // what differs tells nothing
		first = anything
	}
	known := m.heads[len(all)]
	if known == nil {
		known = map[string]bool{}
		m.heads[len(all)] = known
	}
	if !known[first] {
		if len(known) >= branches {
			first = anything
		}
		known[first] = true
	}
	return key{len(all), first}
}

// add counts a masked line and returns its template; fresh says that there was
// none.
func (m *miner) add(line string, now time.Time) (t *Template, fresh bool) {
	all := words(line)
	where := m.way(all)
	l := m.leaves[where]
	if l == nil {
		l = &leaf{}
		m.leaves[where] = l
	}
	if e := l.best(all); e != nil {
		t = e.Value.(*Template)
		for i, w := range t.Words {
			if w != all[i] {
				t.Words[i] = anything
			}
		}
		t.Count++
		t.Last = now
		m.used.MoveToFront(e)
		return t, false
	}
	sum := sha256.Sum256([]byte(strings.Join(all, " ")))
	t = &Template{ID: hex.EncodeToString(sum[:6]), Words: all, Count: 1, First: now, Last: now}
	l.templates = append(l.templates, m.used.PushFront(t))
	if m.used.Len() > m.limit {
		m.evict()
	}
	return t, true
}

// best is the template that agrees in most words; one that agrees in too few is
// none.
func (l *leaf) best(all []string) *list.Element {
	var best *list.Element
	most, fixed := -1, -1
	for _, e := range l.templates {
		t := e.Value.(*Template)
		same, stars := 0, 0
		for i, w := range t.Words {
			switch w {
			case all[i]:
				same++
			case anything:
				stars++
			}
		}
		// A star agrees with all, and says little: words that agree decide first.
		if float64(same+stars) < similarity*float64(len(all)) || same == 0 && len(all) > 1 {
			continue
		}
		if same+stars > most || same+stars == most && same > fixed {
			best, most, fixed = e, same+stars, same
		}
	}
	return best
}

// evict forgets the template that was not seen for longest.
func (m *miner) evict() {
	e := m.used.Back()
	t := m.used.Remove(e).(*Template)
	m.gone++
	where := key{len(t.Words), t.Words[0]}
	for _, at := range []key{where, {where.words, anything}} {
		l := m.leaves[at]
		if l == nil {
			continue
		}
		for i, o := range l.templates {
			if o == e {
				l.templates = append(l.templates[:i], l.templates[i+1:]...)
				break
			}
		}
		if len(l.templates) == 0 {
			delete(m.leaves, at)
			delete(m.heads[at.words], at.first)
		}
	}
}

// all lists the templates, the one seen last first.
func (m *miner) all() []Template {
	out := make([]Template, 0, m.used.Len())
	for e := m.used.Front(); e != nil; e = e.Next() {
		t := *e.Value.(*Template)
		t.Words = append([]string(nil), t.Words...)
		out = append(out, t)
	}
	return out
}

// restore takes templates back, as all lists them.
func (m *miner) restore(all []Template) {
	for i := len(all) - 1; i >= 0; i-- {
		t := all[i]
		if len(t.Words) == 0 {
			continue
		}
		where := m.way(t.Words)
		if m.leaves[where] == nil {
			m.leaves[where] = &leaf{}
		}
		m.leaves[where].templates = append(m.leaves[where].templates, m.used.PushFront(&t))
	}
}
