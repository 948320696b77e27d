package ledger

import "holdfast/internal/continuity"

// The records of a key form a ring: each links to its next, the last to the
// first. The table of keys knows the last, so that joining at the end, taking
// the first and joining before all others are one step each.

// join puts a pending record at the end of its key.
func (s *State) join(ref uint32, t *slot) {
	tail := s.keys.tail(t.key)
	if tail == 0 {
		t.next = ref
		s.keys.put(t.key, ref)
		t.flags |= flagHead
		s.schedule(ref)
		return
	}
	head := s.slots.at(tail).next
	t.next = head
	s.slots.edit(tail).next = ref
	s.keys.swap(t.key, tail, ref)
	s.raise(head, t.class())
}

// joinAhead puts a record that brings back what was lost behind others of its
// kind and before whatever else of its key waits: it was delivered before that
// was accepted. What is being attempted goes on.
func (s *State) joinAhead(ref uint32, t *slot) {
	tail := s.keys.tail(t.key)
	if tail == 0 || s.slots.at(tail).is(flagAgain) {
		s.join(ref, t)
		return
	}
	head := s.slots.at(tail).next
	before := uint32(0)
	at := head
	for n := s.slots.at(at); n.is(flagAgain) || n.state() == continuity.Attempting; n = s.slots.at(at) {
		before, at = at, n.next
		if before == tail {
			s.join(ref, t)
			return
		}
	}
	t.next = at
	if before != 0 {
		s.slots.edit(before).next = ref
		s.raise(head, t.class())
		return
	}
	h := s.slots.edit(head)
	h.flags &^= flagHead
	if h.state() == continuity.InDoubt { // nothing of its key is sent before it has settled
		t.notBefore = max(t.notBefore, h.notBefore)
	}
	t.rank(min(t.class(), h.class()))
	t.flags |= flagHead
	s.slots.edit(tail).next = ref
	s.schedule(ref)
}

// raise gives a key the class of a record that joins it, if that is served
// earlier. What waits in a queue of the class before is dropped when it comes up
// there.
func (s *State) raise(head uint32, c continuity.Class) {
	if s.slots.at(head).class() <= c {
		return
	}
	h := s.slots.edit(head)
	h.rank(c)
	h.flags &^= flagReady
	s.schedule(head)
}

// after returns the record behind another of its key, or 0.
func (s *State) after(ref uint32) uint32 {
	t := s.slots.at(ref)
	if s.keys.tail(t.key) == ref {
		return 0
	}
	return t.next
}

// leave takes a record out of its key. The step that takes the last one out
// takes the key out of the gate. It returns the record behind it.
func (s *State) leave(ref uint32) (behind uint32) {
	t := s.slots.edit(ref)
	tail := s.keys.tail(t.key)
	head, next := s.slots.at(tail).next, t.next
	t.next = 0
	if !t.is(flagHead) {
		before := head
		for s.slots.at(before).next != ref {
			before = s.slots.at(before).next
		}
		s.slots.edit(before).next = next
		if tail == ref {
			s.keys.swap(t.key, ref, before)
			return 0
		}
		return next
	}
	t.flags &^= flagHead
	if tail == ref {
		s.keys.swap(t.key, ref, 0)
		return 0
	}
	s.slots.edit(tail).next = next
	b := s.slots.edit(next)
	b.flags |= flagHead
	b.rank(min(b.class(), t.class())) // the class is the key's, until it leaves the gate
	s.schedule(next)
	return next
}
