package journal

import (
	"fmt"

	"holdfast/internal/continuity"
)

// Report is what Verify found. It needs no key: checksums tell damage, and
// payloads stay sealed.
type Report struct {
	Journal     string              `json:"journal"` // its id
	InUse       bool                `json:"in_use"`  // a process has it open; a tear may be a batch being written
	Start       continuity.Position `json:"start"`
	End         continuity.Position `json:"end"` // after the last entry
	Entries     int64               `json:"entries"`
	Bytes       int64               `json:"bytes"` // of all files
	Segments    []SegmentInfo       `json:"segments"`
	Checkpoints []CheckpointInfo    `json:"checkpoints"`
	Findings    []Finding           `json:"findings"`
}

// Used counts the segments that hold entries.
func (r Report) Used() int {
	n := 0
	for _, s := range r.Segments {
		if s.Entries > 0 {
			n++
		}
	}
	return n
}

// Damaged reports whether a finding is damage.
func (r Report) Damaged() bool {
	for _, f := range r.Findings {
		if f.Damage {
			return true
		}
	}
	return false
}

// The states of a segment file.
const (
	SegmentKept     = "kept"     // has entries, or had them
	SegmentPrepared = "prepared" // the next to be written
	SegmentFree     = "free"     // waits for its next use
	SegmentRetired  = "retired"  // its retirement was not finished
	SegmentDamaged  = "damaged"  // its header is not whole
)

// SegmentInfo is one segment file.
type SegmentInfo struct {
	File     string              `json:"file"`
	State    string              `json:"state"`
	Sequence uint32              `json:"sequence,omitempty"`
	Epoch    string              `json:"epoch,omitempty"`
	Bytes    int64               `json:"bytes"`
	Start    continuity.Position `json:"start,omitempty"` // of its first frame
	End      continuity.Position `json:"end,omitempty"`   // after its last frame
	Entries  int64               `json:"entries"`
	Notes    int64               `json:"notes"`
	Payload  int64               `json:"payload"` // bytes
}

// CheckpointInfo is one checkpoint file.
type CheckpointInfo struct {
	File  string              `json:"file"`
	At    continuity.Position `json:"at"`
	Bytes int64               `json:"bytes"`
	Whole bool                `json:"whole"`
}

// What a finding is about.
const (
	FoundIdentity   = "identity"   // the identity file is missing or damaged
	FoundHeader     = "header"     // a segment's header is not whole
	FoundForeign    = "foreign"    // a segment of another journal
	FoundMissing    = "missing"    // a segment that must be there is not
	FoundChain      = "chain"      // a segment does not fit the one before
	FoundCut        = "cut"        // a segment's file is too short
	FoundFrame      = "frame"      // a frame that was on stable storage is not whole
	FoundTorn       = "torn"       // the rest of a batch that was never acknowledged
	FoundUnfinished = "unfinished" // a retirement or preparation that opening will finish
	FoundCheckpoint = "checkpoint" // a checkpoint is damaged
	FoundBehind     = "behind"     // a checkpoint stands behind the journal's end: entries are lost
)

// Finding is one thing that is not as a journal that was closed leaves it.
type Finding struct {
	What   string              `json:"what"`
	Damage bool                `json:"damage"` // false: opening the journal takes care of it
	File   string              `json:"file"`
	Offset int64               `json:"offset"`
	Bytes  int64               `json:"bytes,omitempty"` // to the next whole frame, where there is one
	At     continuity.Position `json:"at,omitempty"`
	Detail string              `json:"detail,omitempty"` // for experts, English
}

// FrameInfo is one frame as Inspect shows it.
type FrameInfo struct {
	File        string              `json:"file"`
	Position    continuity.Position `json:"position"`
	Offset      int64               `json:"offset"`
	Bytes       int64               `json:"bytes"`
	Kind        string              `json:"kind"`
	Note        bool                `json:"note"`
	Payload     int64               `json:"payload"` // bytes
	Synced      continuity.Position `json:"synced"`
	PreviousEnd continuity.Position `json:"previous_end,omitempty"` // opened
	First       uint32              `json:"first,omitempty"`        // opened, retired
}

func frameInfo(name string, seq uint32, f frame) FrameInfo {
	info := FrameInfo{
		File: name, Position: position(seq, f.off), Offset: f.off, Bytes: int64(len(f.raw)),
		Kind: kindName(f.kind), Note: f.note(), Payload: int64(f.length), Synced: position(seq, f.synced),
	}
	if end, first, ok := f.opened(); ok {
		info.PreviousEnd, info.First = end, first
	}
	if first, ok := f.retired(); ok {
		info.First = first
	}
	return info
}

func kindName(k continuity.Kind) string {
	switch k {
	case noteOpened:
		return "opened"
	case noteSynced:
		return "synced"
	case noteRetired:
		return "retired"
	}
	if name := k.String(); name != "unknown" {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}
