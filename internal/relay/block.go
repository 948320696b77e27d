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
	if s.intake != continuity.IntakeBlock && f.fits(s) == nil {
		return false
	}
	f.refuseBlocked()
	return true
}

func (f *flight) refuseBlocked() {
	f.answerProblem(Blocked, continuity.E(continuity.CodeBlocked, nil))
}

// fits returns the block that refuses the request.
func (f *flight) fits(s *standing) *continuity.Block {
	from, _ := netip.ParseAddr(address(f.req.Remote)) // one that is none is in no network
	for i := range f.route.Block {
		if b := &f.route.Block[i]; b.Matches(from, f.path, f.req.Header) {
			return b
		}
	}
	for i := range s.blocks {
		if b := s.blocks[i].Block; b.Matches(from, f.path, f.req.Header) {
			return b
		}
	}
	return nil
}
