package continuity

import "time"

// Kinds of objects below a window that runs.
const (
	KindDuring   = "during"
	KindCheckIn  = "check-in"
	KindFeedback = "feedback"
)

// What is put with relays for a window.
const (
	DuringMode    = "mode"    // a route's setting
	DuringUploads = "uploads" // some of a route's requests are refused
	DuringLine    = "line"    // a route's waiting line lets people back in
)

// States of what is put.
const (
	DuringWanted = "wanted" // the relay has not been told yet
	DuringPut    = "put"
	DuringFailed = "failed" // the relay can't be told, or refuses; it is tried again
	DuringTaken  = "taken"  // a person took it away meanwhile: it is not put again
	DuringEnding = "ending" // it is to be taken away
	DuringEnded  = "ended"
)

// During is what stands with a relay while a window runs, and no longer. It stands
// beside what others set there: of several the relay goes by the strongest, so that
// when the last window ends what was before is there again.
type During struct {
	ID      string    `json:"id"` // WINDOW.mode-ROUTE, WINDOW.uploads-ROUTE, WINDOW.line-ROUTE
	Window  string    `json:"window"`
	Service string    `json:"service"`
	What    string    `json:"what"`
	Relay   string    `json:"relay"`
	Route   string    `json:"route"`
	Mode    string    `json:"mode,omitempty"`  // of a mode: hold, divert, reply, block
	Paths   []string  `json:"paths,omitempty"` // of uploads
	Say     Text      `json:"say,omitzero"`    // what whoever uploads is told
	Open    int       `json:"open,omitempty"`  // of a line: so many of its batches may be open ...
	Of      int       `json:"of,omitempty"`    // ... where the window has so many
	State   string    `json:"state"`
	Since   time.Time `json:"since"` // of the state
	Why     string    `json:"why"`   // as the relay is told
	Failure string    `json:"failure,omitempty"`

	Before *RouteStanding `json:"before,omitempty"` // what stood there when it was put, windows' apart
	After  *RouteStanding `json:"after,omitempty"`  // and when it was taken away
	Left   []string       `json:"left,omitempty"`   // owners of what a person set meanwhile and still stands: it is left alone

	Exercise string    `json:"exercise,omitempty"`
	Shown    time.Time `json:"shown_at,omitzero"`
}

// Over reports whether nothing more is done about it.
func (d *During) Over() bool { return d.State == DuringEnded }

// RouteStanding is what is set of a route.
type RouteStanding struct {
	Intake   string            `json:"intake"`             // what it comes to
	Settings map[string]string `json:"settings,omitempty"` // by owner
}

// CheckIn is somebody's word on whether it works for them again.
type CheckIn struct {
	ID      string    `json:"id"` // WINDOW.check-in-PERSON
	Window  string    `json:"window"`
	Service string    `json:"service"`
	Person  string    `json:"person"`
	Batch   int       `json:"batch"` // that was let in then
	Works   bool      `json:"works"`
	Text    string    `json:"text,omitempty"`
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
	Shown   time.Time `json:"shown_at,omitzero"`
}

// Feedback is what somebody says of a window that is over.
type Feedback struct {
	ID      string    `json:"id"` // WINDOW.feedback-N
	Window  string    `json:"window"`
	Service string    `json:"service"`
	Score   int       `json:"score,omitempty"` // 1 bad ... 5 good; 0: none
	Text    string    `json:"text,omitempty"`
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
	Shown   time.Time `json:"shown_at,omitzero"`
}

// Course is how a window goes on from its start; it is part of the window.
type Course struct {
	Expected  time.Time `json:"expected,omitzero"`   // the new end that somebody gave, once it overran
	Extended  int       `json:"extended,omitempty"`  // how often its end was put off
	Agreed    time.Time `json:"agreed,omitzero"`     // when its sources agreed that the work is done, as its schedules go
	Readmit   time.Time `json:"readmit,omitzero"`    // when the batch that is in was let in, as its schedules go
	Over      time.Time `json:"over,omitzero"`       // when it ended, as its schedules go
	Restored  time.Time `json:"restored,omitzero"`   // when what was put began to be taken away
	Failed    string    `json:"failed,omitempty"`    // why: a code of the catalogue, or a person's words
	Forwarded time.Time `json:"forwarded,omitzero"`  // when its feedback went to the vendor
	Asked     []string  `json:"asked,omitempty"`     // what people were asked or warned of, once each
	Feedbacks int       `json:"feedbacks,omitempty"` // how many were numbered
	Runs      []string  `json:"runs,omitempty"`      // runbooks that were started

	Reviewed *WindowReview `json:"reviewed,omitempty"` // its review was held
}

// WindowReview is what the review of a window came to.
type WindowReview struct {
	At   time.Time `json:"at"`
	By   Actor     `json:"by"`
	Text string    `json:"text"`
}
