package journal

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"holdfast/internal/continuity"
)

// Verify reads every frame and checkpoint of a journal and checks what can be
// checked without a key. It changes nothing. While no other process has the
// journal open, none can open it either until Verify returns.
func Verify(dir FS) (Report, error) {
	for try := 1; ; try++ {
		r, err := verifyOnce(dir)
		// What a process does meanwhile can look like damage, but not for long.
		if err == nil && !r.Damaged() || !r.InUse || try == triesInUse {
			return r, err
		}
	}
}

const triesInUse = 5

func verifyOnce(dir FS) (Report, error) {
	s, err := newSurvey(dir)
	if s == nil {
		return Report{}, err
	}
	if err != nil {
		return s.report, err
	}
	err = s.verify()
	if s.report.Findings == nil {
		s.report.Findings = []Finding{}
	}
	return s.report, errors.Join(err, s.close())
}

// Inspect yields the frames of a journal from a position on (0: all), notes
// too, without a key. It ends at the first damage, with an error; behind it, at
// the position of a whole frame or in a later segment, it can begin again.
func Inspect(dir FS, from continuity.Position) iter.Seq2[FrameInfo, error] {
	return func(yield func(FrameInfo, error) bool) {
		s, err := newSurvey(dir)
		if err != nil {
			yield(FrameInfo{}, err)
			return
		}
		defer func() { _ = s.close() }() // nothing was written
		s.inspect(from, yield)
	}
}

func (s *survey) inspect(from continuity.Position, yield func(FrameInfo, error) bool) {
	if s.last == nil {
		return
	}
	s.link()
	fromSeq, fromOff := split(from)
	for seq := max(s.first, fromSeq); seq <= s.last.seq; seq++ {
		seg := s.files[seq]
		err := s.bad[seq]
		if seg == nil {
			err = errMissing
		}
		if err != nil {
			yield(FrameInfo{}, damaged(segmentName(seq), 0, err))
			return
		}
		more := true
		start := int64(firstFrame)
		if seq == fromSeq {
			start = max(start, fromOff)
		}
		err = seg.frames(start, s.end(seq), func(f frame) bool {
			more = more && yield(frameInfo(seg.name, seq, f), nil)
			return more
		}, func(h hole) {
			if h.damage && more {
				yield(FrameInfo{}, seg.damage(h.off, errNotWhole))
				more = false
			}
		})
		if err != nil && more {
			yield(FrameInfo{}, err)
			more = false
		}
		if !more {
			return
		}
	}
}

// end returns where a segment ends by the word of the next one, -1 where that
// is not known.
func (s *survey) end(seq uint32) int64 {
	if end, ok := s.ends[seq]; ok {
		return end
	}
	return -1
}

// link reads the opened notes.
func (s *survey) link() {
	for seq := s.first + 1; seq <= s.last.seq; seq++ {
		seg, previous := s.files[seq], s.files[seq-1]
		if seg == nil || s.bad[seq] != nil {
			continue
		}
		f, ok, err := seg.format().read(seg.window(), firstFrame)
		end, _, opened := f.opened()
		if err != nil || !ok || !opened {
			continue // frames finds it
		}
		before, off := split(end)
		if before != seq-1 || off < firstFrame || previous != nil && s.bad[seq-1] == nil && off > previous.size {
			s.found(Finding{What: FoundChain, Damage: true, File: seg.name, Offset: firstFrame, At: position(seq, firstFrame)}, errChain)
			continue
		}
		s.ends[seq-1] = off
	}
}

func (s *survey) verify() error {
	r := &s.report
	if s.last != nil {
		s.link()
		for seq := s.first; seq <= s.last.seq; seq++ {
			if err := s.verifySegment(seq); err != nil {
				return err
			}
		}
		r.End = max(r.End, position(s.last.seq, firstEntry))
	} else {
		r.End = position(1, firstEntry)
	}
	r.Start = position(s.first, firstEntry)
	for _, seq := range slices.Sorted(maps.Keys(s.files)) {
		if s.last == nil || seq < s.first || seq > s.last.seq {
			s.verifyUnused(s.files[seq])
		}
	}
	slices.SortStableFunc(r.Segments, func(a, b SegmentInfo) int { return int(a.Sequence) - int(b.Sequence) })
	for _, seg := range r.Segments {
		r.Bytes += seg.Bytes
	}
	return s.verifyCheckpoints()
}

func (s *survey) verifySegment(seq uint32) error {
	seg := s.files[seq]
	if seg == nil {
		s.found(Finding{What: FoundMissing, Damage: true, File: segmentName(seq), At: position(seq, 0)}, errMissing)
		return nil
	}
	info := SegmentInfo{File: seg.name, State: SegmentKept, Sequence: seq, Bytes: seg.length.Load()}
	if err := s.bad[seq]; err != nil {
		s.badHeader(seg, err)
		info.State = SegmentDamaged
		s.report.Segments = append(s.report.Segments, info)
		return nil
	}
	if seg == s.last {
		s.checkFull(seg)
	}
	info.Epoch = fmt.Sprintf("%016x", seg.epoch)
	info.Start, info.End = position(seq, firstFrame), position(seq, firstFrame)
	var findings []Finding
	end := s.report.End
	err := seg.frames(firstFrame, s.end(seq), func(f frame) bool {
		info.End = position(seq, f.end())
		if f.note() {
			info.Notes++
			return true
		}
		info.Entries++
		info.Payload += int64(f.length)
		end = info.End
		return true
	}, func(h hole) {
		f := Finding{What: FoundFrame, Damage: h.damage, File: seg.name, Offset: h.off, At: position(seq, h.off), Detail: errNotWhole.Error()}
		if !h.damage {
			f.What, f.Detail = FoundTorn, ""
		}
		if h.next > 0 {
			f.Bytes = h.next - h.off
		}
		findings = append(findings, f)
	})
	if len(findings) > 0 && s.retiredMeanwhile(seg) {
		info = SegmentInfo{File: seg.name, State: SegmentRetired, Sequence: seq, Bytes: seg.length.Load()}
	} else {
		s.report.Findings = append(s.report.Findings, findings...)
		s.report.Entries += info.Entries
		s.report.End = end
	}
	s.report.Segments = append(s.report.Segments, info)
	return err
}

// checkFull finds a file that is too short.
func (s *survey) checkFull(seg *segment) {
	if err := seg.full(); err != nil {
		n := seg.length.Load()
		s.found(Finding{What: FoundCut, Damage: true, File: seg.name, Offset: n, At: position(seg.seq, n)}, err)
	}
}

func (s *survey) badHeader(seg *segment, why error) {
	what := FoundHeader
	if errors.Is(why, errForeign) {
		what = FoundForeign
	}
	s.found(Finding{What: what, Damage: true, File: seg.name, At: position(seg.seq, 0)}, why)
}

// retiredMeanwhile reports whether the process that has the journal open
// retired a segment while it was read.
func (s *survey) retiredMeanwhile(seg *segment) bool {
	if !s.report.InUse {
		return false
	}
	h, err := readHeader(seg.file, seg.seq)
	return err != nil || h.epoch != seg.epoch
}

// verifyUnused tells of segments that hold nothing: retired ones below the
// first, and one prepared behind the last.
func (s *survey) verifyUnused(seg *segment) {
	info := SegmentInfo{File: seg.name, State: SegmentPrepared, Sequence: seg.seq, Bytes: seg.length.Load()}
	bad := s.bad[seg.seq]
	switch {
	case s.last != nil && seg.seq < s.first:
		info.State = SegmentRetired
		s.found(Finding{What: FoundUnfinished, File: seg.name, At: position(seg.seq, 0)}, bad)
	case bad != nil:
		info.State = SegmentDamaged
		s.badHeader(seg, bad)
	default:
		s.checkFull(seg)
		info.Epoch = fmt.Sprintf("%016x", seg.epoch)
		next := uint32(1)
		if s.last != nil {
			next = s.last.seq + 1
		}
		if before := seg.seq - 1; seg.seq != next { // was opened, as this one was prepared
			s.found(Finding{What: FoundMissing, Damage: true, File: segmentName(before), At: position(before, firstFrame)}, errOpened)
		}
	}
	s.report.Segments = append(s.report.Segments, info)
}

func (s *survey) verifyCheckpoints() error {
	names, err := s.fs.List()
	if err != nil {
		return err
	}
	slices.Sort(names)
	s.report.Checkpoints = []CheckpointInfo{}
	for _, name := range names {
		at, ok := parseCheckpointName(name)
		if !ok {
			continue
		}
		size, err := fileSize(s.fs, name)
		if err != nil {
			if s.report.InUse {
				continue // a newer one took its place
			}
			return err
		}
		err = checkCheckpoint(s.fs, name, at, s.id)
		s.report.Checkpoints = append(s.report.Checkpoints, CheckpointInfo{File: name, At: at, Bytes: size, Whole: err == nil})
		s.report.Bytes += size
		if err != nil {
			s.found(Finding{What: FoundCheckpoint, Damage: true, File: name, At: at}, err)
		} else if at > s.report.End && !s.report.InUse {
			s.found(Finding{What: FoundBehind, Damage: true, File: name, At: at}, nil)
		}
	}
	return nil
}
