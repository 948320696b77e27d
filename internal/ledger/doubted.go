package ledger

import "holdfast/internal/continuity"

// Doubted counts the records of a route that may have been processed already,
// dead ones included. It looks at every record.
func (l *Ledger) Doubted(route string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.state.numbers[route]
	if !ok {
		return 0
	}
	var count int64
	for ref := uint32(1); int(ref) <= l.state.slots.used; ref++ {
		if t := l.state.slots.at(ref); t.route == n && t.state() != 0 && (t.is(flagDoubted) || t.state() == continuity.Attempting) {
			count++
		}
	}
	return count
}
