package maintenance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// What somebody must be allowed to decide of a window, in words of the plan's roles.
const (
	maySwitch  = "switch"
	mayPublish = "publish"
	mayClose   = "close"
)

// Bounds of what people say.
const (
	longestWord = 2000
	mostScore   = 5
)

// Start has the work begin now. What is not ready has to be waived first; before its
// time somebody has to say why, as people were told another one.
func (a *Acts) Start(ctx context.Context, by continuity.Actor, id string, version int64, why string) (Kept, error) {
	return a.decide(ctx, by, id, version, maySwitch, func(w *window) error {
		if w.State != continuity.WindowScheduled {
			return wrongState(w)
		}
		if !w.ready() && !w.theirs() {
			return courseInvalid("unready", "words", strings.Join(w.unready(), ", "))
		}
		if w.shown.Before(w.Start) {
			if strings.TrimSpace(why) == "" {
				return courseInvalid("early", "start", w.clock(w.Start))
			}
			length := w.End.Sub(w.Start)
			w.Foreseen = w.Start
			w.Start = w.shown.Truncate(time.Second)
			w.End = w.Start.Add(length)
			w.Sequence++
		}
		w.begin()
		w.reason = why
		return nil
	})
}

// Extend puts off the end of a window that runs; those who were told of it are told.
func (a *Acts) Extend(ctx context.Context, by continuity.Actor, id string, version int64, end time.Time, reason continuity.Text) (Kept, error) {
	return a.decide(ctx, by, id, version, maySwitch, func(w *window) error {
		end := end.UTC().Truncate(time.Second)
		switch {
		case w.State != continuity.WindowRunning && w.State != continuity.WindowOverrun:
			return wrongState(w)
		case !end.After(w.until()) || !end.After(w.shown) || end.Sub(w.Start) > longestWindow:
			return courseInvalid("extend", "end", w.clock(w.until()))
		}
		w.extend(end, reason)
		return nil
	})
}

// Complete is a person's word that the work is done; the window goes on when the
// other sources of the plan say so, too. Failed says why it is not, and never will be
// within this window.
func (a *Acts) Complete(ctx context.Context, by continuity.Actor, id string, version int64, failed string) (Kept, error) {
	return a.decide(ctx, by, id, version, maySwitch, func(w *window) error {
		switch w.State {
		case continuity.WindowRunning, continuity.WindowOverrun:
		case continuity.WindowVerifying, continuity.WindowReadmitting:
			if failed == "" {
				return wrongState(w)
			}
		default:
			return wrongState(w)
		}
		if failed != "" {
			w.fail(failed)
			return nil
		}
		if all, _ := w.rules.Course.Complete.Sources(); !slices.Contains(all, SourcePerson) {
			return courseInvalid("no-person", "words", strings.Join(all, ", "))
		}
		w.source(SourcePerson, true)
		w.agreed() // whoever says so sees what comes of it
		return nil
	})
}

// Verify is a person's word on one thing of the verification. One that does not work
// ends the window as failed.
func (a *Acts) Verify(ctx context.Context, by continuity.Actor, id string, version int64, item string, works bool, note string) (Kept, error) {
	return a.decide(ctx, by, id, version, maySwitch, func(w *window) error {
		if w.State != continuity.WindowVerifying {
			return wrongState(w)
		}
		i := slices.IndexFunc(w.rules.Course.Verify, func(v Verify) bool { return v.ID == item || v.ID == "item/"+item })
		if i < 0 || w.rules.Course.Verify[i].Check != "" {
			return courseInvalid("verify", "id", item)
		}
		if !works {
			if strings.TrimSpace(note) == "" {
				return courseInvalid("why")
			}
			w.fail(note)
			return nil
		}
		w.check(w.rules.Course.Verify[i].ID, true)
		if len(w.unverified()) == 0 {
			w.verified()
		}
		return nil
	})
}

// Readmit lets the next batch in though its conditions are not met.
func (a *Acts) Readmit(ctx context.Context, by continuity.Actor, id string, version int64, why string) (Kept, error) {
	return a.decide(ctx, by, id, version, maySwitch, func(w *window) error {
		switch {
		case w.State != continuity.WindowReadmitting || w.Batch >= len(w.rules.Batches):
			return wrongState(w)
		case strings.TrimSpace(why) == "":
			return courseInvalid("why")
		}
		w.letIn(w.Batch + 1)
		w.reason = why
		return nil
	})
}

// Release lets everybody in and ends the window. Of one that failed it has what was
// before stand again.
func (a *Acts) Release(ctx context.Context, by continuity.Actor, id string, version int64, why string) (Kept, error) {
	return a.decide(ctx, by, id, version, mayPublish, func(w *window) error {
		if strings.TrimSpace(why) == "" {
			return courseInvalid("why")
		}
		switch w.State {
		case continuity.WindowVerifying, continuity.WindowReadmitting:
			w.release()
		case continuity.WindowFailed:
			if !w.Course.Restored.IsZero() {
				return wrongState(w)
			}
			w.restore()
			w.become("window.restoring")
		default:
			return wrongState(w)
		}
		w.reason = why
		return nil
	})
}

// CheckIn is somebody's word on whether it works for them again: of those who were let
// in, each has one, the last.
func (a *Acts) CheckIn(ctx context.Context, by continuity.Actor, id, person string, works bool, text string) (Kept, error) {
	return a.act(ctx, by, id, continuity.VersionAny, func(w *window) error {
		if w.State != continuity.WindowReadmitting {
			return wrongState(w)
		}
		if person == "" {
			person = by.ID
		}
		if err := bounded(text); err != nil {
			return err
		}
		batch := w.batchOf(person)
		switch {
		case batch == 0:
			return courseInvalid("no-batch", "name", person, "id", w.ID)
		case batch > w.Batch:
			return courseInvalid("not-in-yet", "name", person, "batch", batch)
		}
		o, err := a.o.Store.Get(ctx, continuity.KindCheckIn, checkInID(w.ID, person))
		if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
			return err
		}
		var was continuity.CheckIn
		if err == nil {
			if err := json.Unmarshal(o.Body, &was); err != nil {
				return err
			}
			if was.Works == works && was.Text == text && was.Batch == batch {
				return nil // it is said already
			}
		}
		w.checkIn(&continuity.CheckIn{Person: person, Batch: batch, Works: works, Text: text, By: by}, continuity.VersionAny)
		return nil
	})
}

// Feedback is what somebody says of a window, in its last steps or after it.
func (a *Acts) Feedback(ctx context.Context, by continuity.Actor, id string, score int, text string) (Kept, error) {
	return a.act(ctx, by, id, continuity.VersionAny, func(w *window) error {
		switch w.State {
		case continuity.WindowDone, continuity.WindowFailed, continuity.WindowReadmitting:
		default:
			return wrongState(w)
		}
		if score < 0 || score > mostScore || score == 0 && strings.TrimSpace(text) == "" {
			return courseInvalid("feedback")
		}
		if err := bounded(text); err != nil {
			return err
		}
		w.feedback(&continuity.Feedback{Score: score, Text: text, By: by})
		return nil
	})
}

// Forward sends what people said by now to the vendor, before its time or once more.
func (a *Acts) Forward(ctx context.Context, by continuity.Actor, id string, version int64) (Kept, error) {
	return a.decide(ctx, by, id, version, mayPublish, func(w *window) error {
		if w.State != continuity.WindowDone && w.State != continuity.WindowFailed {
			return wrongState(w)
		}
		if w.rules.Course.Vendor == nil {
			return courseInvalid("vendor")
		}
		if w.Course.Feedbacks == 0 {
			return courseInvalid("no-feedback")
		}
		w.sendFeedback()
		return nil
	})
}

// Review notes that the review of a window was held, and what it came to.
func (a *Acts) Review(ctx context.Context, by continuity.Actor, id string, version int64, text string) (Kept, error) {
	return a.decide(ctx, by, id, version, mayClose, func(w *window) error {
		switch {
		case w.State != continuity.WindowDone && w.State != continuity.WindowFailed:
			return wrongState(w)
		case w.Course.Reviewed != nil:
			return courseInvalid("reviewed", "name", w.Course.Reviewed.By.ID)
		case strings.TrimSpace(text) == "":
			return courseInvalid("review")
		}
		if err := bounded(text); err != nil {
			return err
		}
		w.Course.Reviewed = &continuity.WindowReview{At: w.now, By: by, Text: text}
		w.become("window.reviewed")
		return nil
	})
}

// decide is an act of somebody who must be allowed to.
func (a *Acts) decide(ctx context.Context, by continuity.Actor, id string, version int64, word string, do func(*window) error) (Kept, error) {
	return a.act(ctx, by, id, version, func(w *window) error {
		if err := a.may(ctx, by, w.Service, word); err != nil {
			return err
		}
		if err := a.below(ctx, w); err != nil {
			return err
		}
		return do(w)
	})
}

// below reads what stands below a window, and its silence.
func (a *Acts) below(ctx context.Context, w *window) error {
	take := func(o continuity.Object) error {
		if !strings.HasPrefix(o.ID, w.ID+".") {
			return nil
		}
		return w.facts.take(o.Kind, o.ID, o.Version, o.Body)
	}
	for _, kind := range []string{continuity.KindDuring, continuity.KindSilence, continuity.KindFeedback, continuity.KindCheckIn} {
		if err := a.each(ctx, kind, w.Service, take); err != nil {
			return err
		}
	}
	all := func(o continuity.Object) error { return w.facts.take(o.Kind, o.ID, o.Version, o.Body) }
	if err := a.each(ctx, kindNotice, w.Service, all); err != nil {
		return err
	}
	o, err := a.o.Store.Get(ctx, continuity.KindDeclaration, w.declarationID())
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return w.facts.take(o.Kind, o.ID, o.Version, o.Body)
}

// bounded refuses what is too long.
func bounded(text string) error {
	if utf8.RuneCountInString(text) > longestWord {
		return courseInvalid("long", "most", longestWord)
	}
	return nil
}

func courseInvalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "course.invalid." + what}, pairs...)...)
}

// WindowCourse is a window as it runs, with what stands below it.
type WindowCourse struct {
	Window   continuity.Window     `json:"window"`
	During   []continuity.During   `json:"during" nullable:"false"`    // what was put with relays
	CheckIns []continuity.CheckIn  `json:"check_ins" nullable:"false"` // whether it works again
	Feedback []continuity.Feedback `json:"feedback" nullable:"false"`  // how it was
	Sources  []WindowSource        `json:"sources" nullable:"false"`   // who says that the work is done
	Need     int                   `json:"need"`                       // how many of them must
	Verify   []WindowVerified      `json:"verify" nullable:"false"`    // what is looked at before people come back
	Batches  []WindowBatch         `json:"batches" nullable:"false"`   // how they come back
	Next     time.Time             `json:"next,omitzero"`              // no further batch comes before
	Waits    []string              `json:"waits,omitempty"`            // what keeps the next batch out, or the end away: messages of the catalogue
}

// WindowBatch is one of the batches in which people come back.
type WindowBatch struct {
	Number int       `json:"number"`
	Share  float64   `json:"share"`           // of all who are in with it
	Teams  []string  `json:"teams,omitempty"` // who come back with it
	Asked  []string  `json:"asked,omitempty"` // who are asked whether it works
	State  string    `json:"state"`           // in, next, waiting
	Since  time.Time `json:"since,omitzero"`  // of the last that is in
}

// batches adds how people come back, as far as that has got.
func (a *Acts) batches(ctx context.Context, k Kept, s *WindowCourse) error {
	w, err := a.open(ctx, k)
	if err != nil {
		return err
	}
	if err := a.below(ctx, w); err != nil {
		return err
	}
	for i, share := range w.rules.Batches {
		b := WindowBatch{Number: i + 1, Share: share, State: "waiting"}
		if i < len(w.rules.Course.Readmit.Groups) {
			b.Teams, b.Asked = w.rules.Course.Readmit.Groups[i].Teams, w.rules.Course.Readmit.Groups[i].Leads
		}
		switch {
		case i < w.Batch, w.State == continuity.WindowDone:
			b.State = "in"
			if i == w.Batch-1 {
				b.Since = w.Course.Readmit
			}
		case w.State == continuity.WindowReadmitting && i == w.Batch:
			b.State = "next"
		}
		s.Batches = append(s.Batches, b)
	}
	if w.State == continuity.WindowReadmitting {
		s.Waits = w.holdsBack()
		if s.Next = w.Course.Readmit.Add(w.rules.Course.Readmit.Wait); !s.Next.After(w.shown) {
			s.Next = time.Time{}
		}
	}
	return nil
}

// WindowSource is one that may say that the work is done.
type WindowSource struct {
	ID   string    `json:"id"`
	Said time.Time `json:"said,omitzero"`
}

// WindowVerified is one thing that is looked at.
type WindowVerified struct {
	ID    string          `json:"id"`
	Kind  string          `json:"kind"` // base, custom, integrations
	Say   continuity.Text `json:"say,omitzero"`
	Check string          `json:"check,omitempty"` // that shows it; absent: a person says so
	Works bool            `json:"works"`           // as far as was seen
}

// Course shows how a window goes.
func (a *Acts) Course(ctx context.Context, id string) (WindowCourse, int64, error) {
	o, err := a.o.Store.Get(ctx, continuity.KindWindow, id)
	if err != nil {
		return WindowCourse{}, 0, err
	}
	k, err := keptOf(o)
	k.Version = o.Version
	s := WindowCourse{Window: k.Window, During: []continuity.During{}, CheckIns: []continuity.CheckIn{}, Feedback: []continuity.Feedback{}, Sources: []WindowSource{}, Verify: []WindowVerified{}, Batches: []WindowBatch{}}
	if err == nil {
		s.During, err = objectsBelow[continuity.During](ctx, a, continuity.KindDuring, &k.Window)
	}
	if err == nil {
		s.CheckIns, err = objectsBelow[continuity.CheckIn](ctx, a, continuity.KindCheckIn, &k.Window)
	}
	if err == nil {
		s.Feedback, err = objectsBelow[continuity.Feedback](ctx, a, continuity.KindFeedback, &k.Window)
	}
	rules, known := a.o.Plans.Of(k.Service)
	if err != nil || !known {
		return s, o.Version, err
	}
	if err := a.batches(ctx, k, &s); err != nil {
		return s, o.Version, err
	}
	sources, need := rules.Course.Complete.Sources()
	for s.Need = need; len(sources) > 0; sources = sources[1:] {
		s.Sources = append(s.Sources, WindowSource{sources[0], k.Complete[sources[0]]})
	}
	for i := range rules.Course.Verify {
		v := &rules.Course.Verify[i]
		s.Verify = append(s.Verify, WindowVerified{ID: v.ID, Kind: v.Kind, Say: v.Say, Check: v.Check, Works: slices.Contains(k.Checked, v.ID)})
	}
	return s, o.Version, nil
}

func objectsBelow[T any](ctx context.Context, a *Acts, kind string, w *continuity.Window) ([]T, error) {
	all := []T{}
	err := a.each(ctx, kind, w.Service, func(o continuity.Object) error {
		if !strings.HasPrefix(o.ID, w.ID+".") {
			return nil
		}
		var v T
		if err := json.Unmarshal(o.Body, &v); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	})
	return all, err
}
