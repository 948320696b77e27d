//go:build !linux

package journal

// Zero implements File, in steps that are synced one by one so that no batch's
// sync has to wait for all of it.
func (f osFile) Zero(size int64, each func(done int64) error) error {
	zeros := make([]byte, 256<<10)
	for off := int64(0); off < size; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := each(min(off+int64(len(zeros)), size)); err != nil {
			return err
		}
	}
	return nil
}
