package relay

import (
	"net/netip"

	"holdfast/internal/continuity"
)

// blocked refuses what a block fits: one of the configuration, or one that
// stands as a switch.
func (f *flight) blocked() bool {
	s := f.standing()
	if len(f.route.Block) == 0 && len(s.blocks) == 0 && s.intake != continuity.IntakeBlock {
		return false
	}
	if s.intake == continuity.IntakeBlock {
		f.refuseBlocked(nil)
		return true
	}
	b, says := f.fits(s)
	if b != nil {
		f.refuseBlocked(says)
	}
	return b != nil
}

// refuseBlocked refuses for good, or with what a block says for a time.
func (f *flight) refuseBlocked(p *page) {
	if p != nil {
		f.close(p)
		return
	}
	f.answerProblem(Blocked, continuity.E(continuity.CodeBlocked, nil))
}

// saidBy is what a block says to those whom it meets.
func saidBy(b *continuity.Block) *page {
	if b.Say == (continuity.Said{}) {
		return nil
	}
	return newPage(&continuity.Reply{Text: b.Say})
}

// fits returns the block that refuses the request, and what it says: of several, one
// that refuses for good.
func (f *flight) fits(s *standing) (fitting *continuity.Block, says *page) {
	from, _ := netip.ParseAddr(address(f.req.Remote)) // one that is none is in no network
	for i := range f.route.Block {
		if b := &f.route.Block[i]; b.Matches(from, f.path, f.req.Header) {
			return b, nil
		}
	}
	for i := range s.blocks {
		if b := s.blocks[i].Block; b.Matches(from, f.path, f.req.Header) {
			if s.pages[i] == nil {
				return b, nil
			}
			fitting, says = b, s.pages[i]
		}
	}
	return fitting, says
}
