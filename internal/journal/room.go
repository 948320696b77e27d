package journal

// Room implements Log.
func (f *Files) Room() (free, used int64) {
	disk, err := f.fs.Free()
	if err != nil {
		disk = 0
	}
	s := f.supply
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.max > 0 {
		disk = min(disk, max(0, s.max-s.used))
	}
	return f.rest.Load() + (int64(s.ready)+disk/s.size)*s.sure(), s.used
}

// Spare implements Log.
func (f *Files) Spare() int64 {
	s := f.supply
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.rest.Load() + int64(s.ready)*s.sure()
}

// Reserve implements Log. The rest of the segment being written does not
// count, as a restart gives it up.
func (f *Files) Reserve(n int64) error {
	if f.latch.Load() != nil {
		return ErrLatched
	}
	s := f.supply
	segments := int((max(0, n) + s.sure() - 1) / s.sure())
	if err := s.ensure(segments, false); err != nil {
		return err
	}
	s.mu.Lock()
	s.reserve = segments
	s.mu.Unlock()
	s.wake()
	return nil
}
