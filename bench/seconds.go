package main

import (
	"sync"
	"time"
)

// seconds counts what happens in any second, by tenths of one.
type seconds struct {
	mu      sync.Mutex
	tenths  [10]int
	at      int64 // the tenth that counts at present
	highest int
}

func (s *seconds) count(now time.Time) {
	tenth := now.UnixMilli() / 100
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; s.at < tenth && n < len(s.tenths); n++ {
		s.at = max(s.at+1, tenth-int64(len(s.tenths))+1)
		s.tenths[s.at%int64(len(s.tenths))] = 0
	}
	s.tenths[tenth%int64(len(s.tenths))]++
	sum := 0
	for _, n := range s.tenths {
		sum += n
	}
	s.highest = max(s.highest, sum)
}

// most is the highest sum since it was asked for before.
func (s *seconds) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.highest
	s.highest, s.tenths = 0, [10]int{}
	return most
}
