package ledger

// Settings grows whenever a standing setting of any route changes: who has
// looked at them needs not look again before that.
func (l *Ledger) Settings() uint64 { return l.state.settings.Load() }
