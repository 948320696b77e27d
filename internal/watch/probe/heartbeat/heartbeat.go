// Package heartbeat is passive: a job tells that it ran, and how it ended, and is
// late when it does not.
package heartbeat

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/watch/probe"
)

// aside is how far the clock of the node that took a beat may be ahead of this
// one's: when the next beat is late can't be told by one that is further.
const aside = time.Minute

// New reads Every and Grace. Until the first beat nothing is known.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if spec.Every <= 0 || tools.Beats == nil {
		return nil, fmt.Errorf("watch: check %s: no period", spec.ID)
	}
	return probe.Make(spec, tools, func(context.Context) probe.Outcome {
		last, ok := tools.Beats(spec.ID)
		if !ok {
			return probe.Unknown("watch.no-beat")
		}
		age := time.Since(last.At)
		ahead := -age
		age = max(age, 0)
		o := probe.Outcome{}
		switch late := age - spec.Every; {
		case last.Failed:
			o = probe.Down("watch.beat-failed")
		case ahead > aside:
			return probe.Unknown("watch.beat-ahead", "ahead", ahead.Round(time.Second).String())
		case late > spec.Grace:
			o = probe.Down("watch.late", "late", late.Round(time.Second).String())
		}
		o.Values = map[string]float64{"age_seconds": age.Seconds()}
		if last.Took > 0 {
			o.Values["job_seconds"] = last.Took.Seconds()
		}
		return o
	}), nil
}
