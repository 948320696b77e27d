package ledger

import "holdfast/internal/continuity"

// Switch puts or lifts a standing setting; it is durable when Switch returns.
func (l *Ledger) Switch(s continuity.Switch) error {
	l.mu.Lock()
	p := l.propose(continuity.Event{Kind: continuity.KindSwitch, Switch: &s})
	l.mu.Unlock()
	_, err := p.wait()
	return err
}

// Switches lists a route's standing settings, oldest first.
func (l *Ledger) Switches(route string) []continuity.Switch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.state.numbers[route]; ok {
		return append([]continuity.Switch(nil), l.state.routes[n].owners...)
	}
	return nil
}

// Effective is what a route's standing settings amount to.
func (l *Ledger) Effective(route string) (continuity.Intake, continuity.Replay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.state.numbers[route]; ok {
		return l.state.routes[n].effective()
	}
	return continuity.IntakePass, continuity.ReplayOn
}
