package incident

import (
	"encoding/json"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// bad is what an incident came of, as far as it is bad now.
type bad struct {
	checks, warnings []string
	since            time.Time // the earliest of theirs
}

func (b *bad) any() bool { return len(b.checks)+len(b.warnings) > 0 }

// bad looks at what the incident came of, at what its scenario would have come of, and
// at the same of those that were put together with it. What is played is bad by its
// exercise, whatever checks say.
func (e *editing) bad() (b bad, err error) {
	if e.Exercise != "" {
		return b, nil
	}
	seen := map[string]bool{}
	var look func(i *continuity.Incident) error
	look = func(i *continuity.Incident) error {
		seen[i.ID] = true
		t := Trigger{State: continuity.CheckDown}
		if s := e.rules.Scenario(i.Scenario); s != nil {
			t = s.Trigger
		}
		check := t.Check
		if i.Origin.Kind == "check" {
			check = i.Origin.ID
		}
		if err := e.badCheck(&b, check, t.State); err != nil {
			return err
		}
		if i.Origin.Kind == kindWarning {
			if err := e.badWarning(&b, i.Origin.ID, t.Level); err != nil {
				return err
			}
		}
		for _, from := range i.From {
			if seen[from] {
				continue
			}
			other, err := e.acts.Get(e.ctx, from)
			if continuity.CodeOf(err) == continuity.CodeNotFound || err == nil && other.Incident.State != continuity.Merged {
				continue
			}
			if err == nil {
				err = look(&other.Incident)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return b, look(&e.Incident)
}

func (b *bad) add(to *[]string, id string, since time.Time) {
	if slices.Contains(*to, id) {
		return
	}
	*to = append(*to, id)
	if b.since.IsZero() || since.Before(b.since) {
		b.since = since
	}
}

func (e *editing) badCheck(b *bad, id string, from continuity.CheckState) error {
	if id == "" {
		return nil
	}
	c, err := seen[continuity.JudgedCheck](e, continuity.ObjectCheck, id)
	if err == nil && (c.State == continuity.CheckDown || from != "" && asBad(c.State, from)) {
		b.add(&b.checks, id, c.Since)
	}
	return err
}

func (e *editing) badWarning(b *bad, id string, from continuity.Level) error {
	w, err := seen[continuity.Warning](e, kindWarning, id)
	if err == nil && w.Stands() && w.State != continuity.WarningDismissed && !from.Over(w.Level) {
		b.add(&b.warnings, id, w.Since)
	}
	return err
}

// seen is an object of another engine, or its zero value where there is none.
func seen[T any](e *editing, kind, id string) (v T, err error) {
	o, err := e.acts.store.Get(e.ctx, kind, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return v, nil
	}
	if err == nil {
		err = json.Unmarshal(o.Body, &v)
	}
	return v, err
}

// downSince is since when what works no more is down: as what it came of says, where
// that is bad since it had worked again, or now.
func (e *editing) downSince() (time.Time, error) {
	b, err := e.bad()
	if err == nil && b.any() && b.since.After(e.Restored) && b.since.Before(e.now) {
		return b.since, nil
	}
	return e.now, err
}
