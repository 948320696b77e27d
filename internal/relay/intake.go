package relay

import (
	"net/http"
	"strings"

	"holdfast/internal/continuity"
)

// standing is what a route's standing settings amount to. It is made anew when
// any of them has changed, so that a request costs one look at a counter.
type standing struct {
	settings uint64
	intake   continuity.Intake
	health   bool     // intake is not pass by nobody's will but health's, its own or checks'
	words    []string // the checks whose words are among what holds
	blocks   []continuity.Switch
	pages    []*page // what blocks say, as they are in blocks; nil: nothing
}

var passing = &standing{intake: continuity.IntakePass}

func (f *flight) standing() *standing {
	l, r := f.engine.ledger, f.route
	if l == nil {
		return passing
	}
	settings := l.Settings()
	if s := r.standing.Load(); s != nil && s.settings == settings {
		return s
	}
	s := &standing{settings: settings, health: true}
	s.intake, _ = l.Effective(r.ID)
	for _, sw := range l.Switches(r.ID) {
		if sw.Partial() {
			s.blocks, s.pages = append(s.blocks, sw), append(s.pages, saidBy(sw.Block))
			continue
		}
		if !sw.Intake.Over(continuity.IntakePass) {
			continue
		}
		if check, told := strings.CutPrefix(sw.Owner, continuity.OwnerCheck); told {
			s.words = append(s.words, check)
		} else if sw.Owner != continuity.OwnerHealth {
			s.health = false
		}
	}
	r.standing.Store(s)
	return s
}

// watched reports whether health learns how requests of the route end.
func (r *route) watched() bool {
	return r.Hold.State == continuity.HoldOn || r.Detect.Then.Over(continuity.IntakePass)
}

// safe reports whether a request only reads.
func (f *flight) safe() bool {
	return f.req.Method == http.MethodGet || f.req.Method == http.MethodHead
}

// decided answers a request as intake says, unless it says that the request
// passes. A request that is in the gate has been answered before.
func (f *flight) decided(p *passage) bool {
	s := f.standing()
	if s.intake == continuity.IntakePass || s.intake == continuity.IntakeHold && !p.keep && !f.replies(s) {
		return false
	}
	if f.mayPass(s, p) {
		p.trial = f.check == ""
		return false
	}
	switch s.intake {
	case continuity.IntakeHold:
		if p.keep {
			f.keep(false)
		} else {
			f.reply()
		}
	case continuity.IntakeDivert:
		return f.divert(*p)
	case continuity.IntakeBlock: // put after the request was let in
		f.refuseBlocked(nil)
	default:
		f.reply()
	}
	return true
}

// replies reports whether a read is answered by the relay because the upstream
// is down, though it would pass by what people decided.
func (f *flight) replies(s *standing) bool {
	return f.safe() && s.health && len(s.words) == 0 && f.route.Reply != nil
}

// mayPass reports whether a request may be sent although intake says otherwise:
// as health's trial or one of a check whose word holds, or because nothing can
// be kept any more. A latched journal can't take health's switch back either, nor
// end a check's word, so that only trying tells whether the upstream is there
// (rule 1.2); what a person decided stands.
func (f *flight) mayPass(s *standing, p *passage) bool {
	if !s.health || s.intake == continuity.IntakeBlock {
		return false
	}
	if f.engine.ledger.Latched() != nil || f.tries(s) {
		return true
	}
	return f.check == "" && len(s.words) == 0 && (!p.keep || f.keepable() == nil) && f.route.health.TryLive()
}

// shared reports whether the request is in the share of keys that the route
// holds. Of a request without a key that can be read nobody knows, so it is not.
func (f *flight) shared() bool {
	if !f.route.Hold.Partial() {
		return true
	}
	f.readFacts()
	if f.factsErr != nil || f.facts.Ordered && !f.facts.HasKey {
		return false
	}
	if !f.facts.Ordered { // its repeats must not change sides
		f.identify()
		return f.known && f.route.Hold.Shares(f.engine.hasher.KeyTag(f.route.ID, f.key)) || !f.known && f.route.Hold.Shares(f.tag())
	}
	return f.route.Hold.Shares(f.tag())
}
