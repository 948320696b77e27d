package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
)

// Courses are windows from their start.
type Courses interface {
	Start(ctx context.Context, by continuity.Actor, id string, version int64, why string) (maintenance.Kept, error)
	Extend(ctx context.Context, by continuity.Actor, id string, version int64, end time.Time, reason continuity.Text) (maintenance.Kept, error)
	Complete(ctx context.Context, by continuity.Actor, id string, version int64, failed string) (maintenance.Kept, error)
	Verify(ctx context.Context, by continuity.Actor, id string, version int64, item string, works bool, note string) (maintenance.Kept, error)
	Readmit(ctx context.Context, by continuity.Actor, id string, version int64, why string) (maintenance.Kept, error)
	Release(ctx context.Context, by continuity.Actor, id string, version int64, why string) (maintenance.Kept, error)
	Forward(ctx context.Context, by continuity.Actor, id string, version int64) (maintenance.Kept, error)
	Review(ctx context.Context, by continuity.Actor, id string, version int64, text string) (maintenance.Kept, error)

	CheckIn(ctx context.Context, by continuity.Actor, id, person string, works bool, text string) (maintenance.Kept, error)
	Feedback(ctx context.Context, by continuity.Actor, id string, score int, text string) (maintenance.Kept, error)

	Course(ctx context.Context, id string) (maintenance.WindowCourse, int64, error)
}

// WindowStart is why the work of a window begins now.
type WindowStart struct {
	Why string `json:"why,omitempty" maxLength:"2000"` // needed before its time
}

// WindowReviewed is what the review of a window came to.
type WindowReviewed struct {
	Text string `json:"text" minLength:"1" maxLength:"2000"`
}

// WindowExtend is a new end of a window that runs.
type WindowExtend struct {
	End    time.Time       `json:"end"`
	Reason continuity.Text `json:"reason,omitzero"`
}

// WindowComplete is a person's word that the work of a window is done, or failed.
type WindowComplete struct {
	Failed string `json:"failed,omitempty" maxLength:"2000"` // why it failed; absent: it is done
}

// WindowVerify is a person's word on one thing of a verification.
type WindowVerify struct {
	Works bool   `json:"works"`
	Note  string `json:"note,omitempty" maxLength:"2000"` // of what does not work: what is wrong
}

// WindowWhy is why somebody decides so.
type WindowWhy struct {
	Why string `json:"why" minLength:"1" maxLength:"2000"`
}

// WindowCheckIn is whether it works again for whoever says it.
type WindowCheckIn struct {
	Works  bool   `json:"works"`
	Text   string `json:"text,omitempty" maxLength:"2000"`
	Person string `json:"person,omitempty" maxLength:"128"` // for whom it is said, by somebody who may lead windows; absent: oneself
}

// WindowFeedback is how a window was.
type WindowFeedback struct {
	Score int    `json:"score,omitempty" minimum:"0" maximum:"5"` // 1 bad ... 5 good
	Text  string `json:"text,omitempty" maxLength:"2000"`
}

// registerCourses serves what people do with windows from their start.
func registerCourses(s *server) {
	const one = "/api/v1/windows/{id}"
	put := func(path, id string) operation {
		return operation{Method: http.MethodPut, Path: one + path, ID: id, Scope: access.WindowsWrite, Edit: true}
	}
	register(s, operation{Method: http.MethodGet, Path: one + "/course", ID: "getWindowCourse", Scope: access.WindowsRead}, s.getWindowCourse)
	register(s, put("/start", "startWindow"), s.startWindow)
	register(s, put("/extend", "extendWindow"), s.extendWindow)
	register(s, put("/complete", "completeWindow"), s.completeWindow)
	register(s, put("/verify/{item}", "verifyWindow"), s.verifyWindow)
	register(s, put("/readmit", "readmitWindow"), s.readmitWindow)
	register(s, put("/release", "releaseWindow"), s.releaseWindow)
	register(s, put("/forward", "forwardWindowFeedback"), s.forwardWindowFeedback)
	register(s, put("/review", "reviewWindow"), s.reviewWindow)
	register(s, operation{Method: http.MethodPost, Path: one + "/check-ins", ID: "checkInWindow", Scope: access.ReportsWrite}, s.checkInWindow)
	register(s, operation{Method: http.MethodPost, Path: one + "/feedback", ID: "giveWindowFeedback", Scope: access.ReportsWrite}, s.giveWindowFeedback)
}

func (s *server) getWindowCourse(ctx context.Context, in *WindowID) (*object[maintenance.WindowCourse], error) {
	c, version, err := s.Courses.Course(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return objectOf(c, version), nil
}

func (s *server) startWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowStart
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Start(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) reviewWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowReviewed
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Review(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Text))
}

func (s *server) extendWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowExtend
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Extend(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.End, in.Body.Reason))
}

func (s *server) completeWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowComplete
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Complete(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Failed))
}

func (s *server) verifyWindow(ctx context.Context, in *struct {
	WindowID

	Item string `path:"item" maxLength:"128"`
	Body WindowVerify
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Verify(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Item, in.Body.Works, in.Body.Note))
}

func (s *server) readmitWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowWhy
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Readmit(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) releaseWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowWhy
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Release(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) forwardWindowFeedback(ctx context.Context, in *WindowID) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Forward(ctx, actorOf(ctx), in.ID, versionOf(ctx)))
}

func (s *server) checkInWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowCheckIn
}) (*object[continuity.Window], error) {
	caller := callerOf(ctx)
	if p := in.Body.Person; p != "" && p != caller.Actor.ID {
		if err := may(caller, nil, access.WindowsWrite); err != nil {
			return nil, err
		}
	}
	return shownWindow(s.Courses.CheckIn(ctx, caller.Actor, in.ID, in.Body.Person, in.Body.Works, in.Body.Text))
}

func (s *server) giveWindowFeedback(ctx context.Context, in *struct {
	WindowID

	Body WindowFeedback
}) (*object[continuity.Window], error) {
	return shownWindow(s.Courses.Feedback(ctx, actorOf(ctx), in.ID, in.Body.Score, in.Body.Text))
}
