package keeping

import (
	"time"

	"holdfast/internal/backup"
)

// Progress is how far a work got that the asked node does.
type Progress struct {
	Work  string  `json:"work"`
	Phase string  `json:"phase"` // capture, upload, download, restore, recover, figures, compare
	Done  int64   `json:"done"`  // bytes
	Total int64   `json:"total,omitempty"`
	Rate  float64 `json:"rate,omitempty"` // bytes a second, of this phase
	Left  float64 `json:"left,omitempty"` // seconds of this phase; 0: nobody knows
}

// meter keeps how far a work got, and since when it is in its phase.
type meter struct {
	got   backup.Progress
	since time.Time
}

func (m *meter) note(p backup.Progress, now time.Time) {
	if m.since.IsZero() || p.Phase != m.got.Phase {
		m.since = now
	}
	m.got = p
}

func (m *meter) shown(work string, now time.Time) Progress {
	p := Progress{Work: work, Phase: m.got.Phase, Done: m.got.Done, Total: m.got.Total}
	if took := now.Sub(m.since).Seconds(); !m.since.IsZero() && took > 0 && p.Done > 0 {
		p.Rate = float64(p.Done) / took
		if p.Total > p.Done {
			p.Left = float64(p.Total-p.Done) / p.Rate
		}
	}
	return p
}
