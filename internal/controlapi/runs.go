package controlapi

import (
	"context"
	"net/http"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// Runs are runbooks that are gone through, and what people do with them.
type Runs interface {
	// Who is what a caller may decide.
	Who(c Caller) runbook.Who
	List(ctx context.Context, q runbook.Query) (page []runbook.Kept, next string, err error)
	Get(ctx context.Context, id string) (runbook.RunDetail, int64, error)
	Start(ctx context.Context, by runbook.Who, b runbook.Begin) (runbook.Kept, error)
	Preview(ctx context.Context, by runbook.Who, b runbook.Begin) (runbook.RunPreview, error)

	Stop(ctx context.Context, by runbook.Who, id string, version int64, why string) (runbook.Kept, error)
	Undo(ctx context.Context, by runbook.Who, id string, version int64) (runbook.Kept, error)

	Done(ctx context.Context, by runbook.Who, id, step string, version int64, w runbook.Word) (runbook.Kept, error)
	Tick(ctx context.Context, by runbook.Who, id, step string, version int64, items []string) (runbook.Kept, error)
	Skip(ctx context.Context, by runbook.Who, id, step string, version int64, why string) (runbook.Kept, error)
	Retry(ctx context.Context, by runbook.Who, id, step string, version int64) (runbook.Kept, error)
	Answer(ctx context.Context, by runbook.Who, id, step string, version int64, answer, note string) (runbook.Kept, error)
	Approve(ctx context.Context, by runbook.Who, id, step string, version int64, w runbook.Word) (runbook.Kept, error)
	Reject(ctx context.Context, by runbook.Who, id, step string, version int64, why string) (runbook.Kept, error)
	UndoStep(ctx context.Context, by runbook.Who, id, step string, version int64) (runbook.Kept, error)
}

// RunBegin is a runbook that somebody wants gone through.
type RunBegin struct {
	Service  string   `json:"service" minLength:"1" maxLength:"128"`
	Runbook  string   `json:"runbook" minLength:"1" maxLength:"128"`
	About    string   `json:"about,omitempty" maxLength:"300"` // KIND/ID of an incident or a window
	Steps    []string `json:"steps,omitempty" maxItems:"500"`  // none: all
	Exercise string   `json:"exercise,omitempty" maxLength:"128"`
	Why      string   `json:"why,omitempty" maxLength:"1000"`
}

func (b RunBegin) begin() runbook.Begin { return runbook.Begin(b) }

// RunNote is what a person says of a step, where they say anything.
type RunNote struct {
	Note  string `json:"note,omitempty" maxLength:"4000"`
	Typed string `json:"typed,omitempty" maxLength:"200"` // what the step wants typed
}

// RunWhy is why a person does something.
type RunWhy struct {
	Why string `json:"why" minLength:"1" maxLength:"4000"`
}

// RunTicks are items of a step's checklist that were done.
type RunTicks struct {
	Items []string `json:"items" minItems:"1" maxItems:"200"`
}

// RunAnswer says whether a step that was interrupted was done.
type RunAnswer struct {
	Answer string `json:"answer" enum:"done,again,skip"`
	Note   string `json:"note,omitempty" maxLength:"4000"` // with skip: why
}

// RunPath says which run.
type RunPath struct {
	ID string `path:"id" maxLength:"300"`
}

// StepPath says which step of a run.
type StepPath struct {
	RunPath

	Step string `path:"step" maxLength:"500"` // within another runbook with slashes, escaped
}

func registerRuns(s *server) {
	const all, one, step = "/api/v1/runs", "/api/v1/runs/{id}", "/api/v1/runs/{id}/steps/{step}"
	put := func(path, id string) operation {
		return operation{Method: http.MethodPut, Path: path, ID: id, Scope: access.RunsWrite, Edit: true}
	}
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listRuns", Scope: access.RunsRead}, s.listRuns)
	register(s, operation{Method: http.MethodPost, Path: all, ID: "startRun", Scope: access.RunsWrite}, s.startRun)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/run-previews", ID: "previewRun", Scope: access.RunsWrite}, s.previewRun)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getRun", Scope: access.RunsRead}, s.getRun)
	register(s, put(one+"/stop", "stopRun"), s.stopRun)
	register(s, put(one+"/undo", "undoRun"), s.undoRun)
	register(s, put(step+"/done", "doneRunStep"), s.doneStep)
	register(s, put(step+"/tick", "tickRunStep"), s.tickStep)
	register(s, put(step+"/skip", "skipRunStep"), s.skipStep)
	register(s, put(step+"/retry", "retryRunStep"), s.retryStep)
	register(s, put(step+"/answer", "answerRunStep"), s.answerStep)
	register(s, put(step+"/approve", "approveRunStep"), s.approveStep)
	register(s, put(step+"/reject", "rejectRunStep"), s.rejectStep)
	register(s, put(step+"/undo", "undoRunStep"), s.undoStep)
}

func (s *server) who(ctx context.Context) runbook.Who { return s.Runs.Who(callerOf(ctx)) }

func shownRun(k runbook.Kept, err error) (*object[continuity.Run], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Run, k.Version), nil
}

func (s *server) listRuns(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	About   string `query:"about" maxLength:"300"`
	Past    bool   `query:"past" default:"false"`
	Paging
}) (*list[continuity.Run], error) {
	page, next, err := s.Runs.List(ctx, runbook.Query{Service: in.Service, About: in.About, Past: in.Past, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Run, len(page))
	for i := range page {
		items[i] = page[i].Run
	}
	return listOf(items, next), nil
}

func (s *server) getRun(ctx context.Context, in *RunPath) (*object[runbook.RunDetail], error) {
	d, version, err := s.Runs.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return objectOf(d, version), nil
}

func (s *server) startRun(ctx context.Context, in *struct{ Body RunBegin }) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Start(ctx, s.who(ctx), in.Body.begin()))
}

func (s *server) previewRun(ctx context.Context, in *struct{ Body RunBegin }) (*plain[runbook.RunPreview], error) {
	p, err := s.Runs.Preview(ctx, s.who(ctx), in.Body.begin())
	return &plain[runbook.RunPreview]{p}, err
}

func (s *server) stopRun(ctx context.Context, in *struct {
	RunPath

	Body RunWhy
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Stop(ctx, s.who(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) undoRun(ctx context.Context, in *RunPath) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Undo(ctx, s.who(ctx), in.ID, versionOf(ctx)))
}

func (s *server) doneStep(ctx context.Context, in *struct {
	StepPath

	Body RunNote
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Done(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx), runbook.Word(in.Body)))
}

func (s *server) tickStep(ctx context.Context, in *struct {
	StepPath

	Body RunTicks
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Tick(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx), in.Body.Items))
}

func (s *server) skipStep(ctx context.Context, in *struct {
	StepPath

	Body RunWhy
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Skip(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx), in.Body.Why))
}

func (s *server) retryStep(ctx context.Context, in *StepPath) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Retry(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx)))
}

func (s *server) answerStep(ctx context.Context, in *struct {
	StepPath

	Body RunAnswer
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Answer(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx), in.Body.Answer, in.Body.Note))
}

func (s *server) approveStep(ctx context.Context, in *struct {
	StepPath

	Body RunNote
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Approve(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx), runbook.Word(in.Body)))
}

func (s *server) rejectStep(ctx context.Context, in *struct {
	StepPath

	Body RunWhy
}) (*object[continuity.Run], error) {
	return shownRun(s.Runs.Reject(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx), in.Body.Why))
}

func (s *server) undoStep(ctx context.Context, in *StepPath) (*object[continuity.Run], error) {
	return shownRun(s.Runs.UndoStep(ctx, s.who(ctx), in.ID, in.Step, versionOf(ctx)))
}
