package controlapi

import (
	"context"
	"errors"
	"net/http"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/planbook"
	"holdfast/internal/yamldoc"
)

// Plans is the book of plans.
type Plans interface {
	List(cursor string, limit int) (page []planbook.PlanHeading, next string)
	Show(ctx context.Context, service string) (planbook.PlanSummary, error)
	Versions(ctx context.Context, service, cursor string, limit int) (page []planbook.PlanDraft, next string, err error)
	Files(ctx context.Context, service string, number int64) (continuity.PlanVersion, continuity.PlanTexts, error)
	Compare(ctx context.Context, service string, from, to int64) (planbook.PlanComparison, error)
	Submit(ctx context.Context, actor continuity.Actor, s planbook.Submission) (planbook.PlanOutcome, error)
	Apply(ctx context.Context, actor continuity.Actor, service string, number int64, reason string) (planbook.PlanOutcome, error)
	Review(ctx context.Context, actor continuity.Actor, service string, number int64, note string) (continuity.PlanVersion, error)
	Approve(ctx context.Context, actor continuity.Actor, service string, number int64, part, note string) (continuity.PlanVersion, error)
}

// PlanShown is what holds for a service.
type PlanShown struct {
	planbook.PlanSummary

	Open []planbook.PlanProblem `json:"open" nullable:"false"` // what needs looking after
}

// PlanListed is a plan in a list.
type PlanListed struct {
	planbook.PlanHeading

	Fault *planbook.PlanProblem `json:"fault,omitempty"` // why this program can't read all of it
}

// PlanFiles is a version as it was written.
type PlanFiles struct {
	Service string `json:"service"`
	Version int64  `json:"version"`
	State   string `json:"state"`
	Hash    string `json:"hash"`
	PlanTexts
}

// PlanTexts are a plan's files.
type PlanTexts struct {
	Plan  string            `json:"plan" maxLength:"1048576" minLength:"1"`
	Tech  string            `json:"tech,omitempty" maxLength:"1048576"`
	Files map[string]string `json:"files,omitempty"`
}

// PlanSubmission is a plan that is to hold.
type PlanSubmission struct {
	PlanTexts

	Base   int64  `json:"base" minimum:"-1"`                  // the version that it was written from; 0: none; -1: whatever holds
	Hash   string `json:"base_hash,omitempty" maxLength:"64"` // of the base's texts, where it is known
	File   string `json:"file,omitempty" maxLength:"4096"`    // what the file is called in problems
	Reason string `json:"reason,omitempty" maxLength:"4096"`  // why it changes
	Draft  bool   `json:"draft,omitempty"`                    // make a version, and don't apply it
	DryRun bool   `json:"dry_run,omitempty"`                  // make nothing
}

// PlanResult is what became of a version, or would.
type PlanResult struct {
	planbook.PlanOutcome

	Warnings []planbook.PlanProblem `json:"warnings" nullable:"false"`
}

// PlanWord is what somebody says of a version.
type PlanWord struct {
	Note string `json:"note,omitempty" maxLength:"4096"`
}

// PlanOf names a version; 0: the one that holds.
type PlanOf struct {
	Service string `path:"service" maxLength:"128"`
	Number  int64  `path:"number" minimum:"0"`
}

// planBody bounds a submission: three texts of a megabyte, escaped.
const planBody = 8 << 20

func registerPlans(s *server) {
	const one = "/api/v1/plans/{service}"
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/plans", ID: "listPlans", Scope: access.PlansRead}, s.listPlans)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getPlan", Scope: access.PlansRead}, s.getPlan)
	register(s, operation{Method: http.MethodGet, Path: one + "/diff", ID: "comparePlan", Scope: access.PlansRead}, s.comparePlan)
	register(s, operation{Method: http.MethodGet, Path: one + "/versions", ID: "listPlanVersions", Scope: access.PlansRead}, s.listPlanVersions)
	register(s, operation{Method: http.MethodGet, Path: one + "/versions/{number}/files", ID: "exportPlan", Scope: access.PlansRead}, s.exportPlan)
	register(s, operation{Method: http.MethodPost, Path: one + "/versions", ID: "submitPlan", Scope: access.PlansWrite, Body: planBody}, s.submitPlan)
	register(s, operation{Method: http.MethodPost, Path: one + "/versions/{number}/apply", ID: "applyPlan", Scope: access.PlansWrite}, s.applyPlan)
	register(s, operation{Method: http.MethodPost, Path: one + "/versions/{number}/review", ID: "reviewPlan", Scope: access.PlansWrite}, s.reviewPlan)
	// Each part is approved by those who answer for it.
	register(s, operation{Method: http.MethodPost, Path: one + "/versions/{number}/approve", ID: "approvePlan", Scope: access.PlansApprove}, s.approvePlan(continuity.PartPlan))
	register(s, operation{Method: http.MethodPost, Path: one + "/versions/{number}/approve-tech", ID: "approvePlanTech", Scope: access.PlansApproveTech}, s.approvePlan(continuity.PartTech))
}

func (s *server) listPlans(ctx context.Context, in *struct{ Paging }) (*list[PlanListed], error) {
	page, next := s.Plans.List(in.Cursor, in.Limit)
	listed := make([]PlanListed, len(page))
	for i, h := range page {
		listed[i].PlanHeading = h
		if h.Fault != nil {
			listed[i].Fault = &planbook.Tell(langOf(ctx), []yamldoc.Problem{*h.Fault})[0]
		}
	}
	return listOf(listed, next), nil
}

func (s *server) getPlan(ctx context.Context, in *struct {
	Service string `path:"service" maxLength:"128"`
}) (*object[PlanShown], error) {
	sum, err := s.Plans.Show(ctx, in.Service)
	return objectOf(PlanShown{sum, planbook.Tell(langOf(ctx), sum.Open)}, sum.Version), err
}

func (s *server) listPlanVersions(ctx context.Context, in *struct {
	Service string `path:"service" maxLength:"128"`
	Paging
}) (*list[planbook.PlanDraft], error) {
	page, next, err := s.Plans.Versions(ctx, in.Service, in.Cursor, in.Limit)
	return listOf(page, next), err
}

func (s *server) exportPlan(ctx context.Context, in *struct{ PlanOf }) (*object[PlanFiles], error) {
	v, texts, err := s.Plans.Files(ctx, in.Service, in.Number)
	return objectOf(PlanFiles{v.Service, v.Number, v.State, v.Hash, PlanTexts(texts)}, v.Number), err
}

func (s *server) comparePlan(ctx context.Context, in *struct {
	Service string `path:"service" maxLength:"128"`
	From    int64  `query:"from" minimum:"0"` // 0: what the other one started from
	To      int64  `query:"to" minimum:"0"`   // 0: what holds
}) (*plain[planbook.PlanComparison], error) {
	c, err := s.Plans.Compare(ctx, in.Service, in.From, in.To)
	return &plain[planbook.PlanComparison]{c}, err
}

func (s *server) submitPlan(ctx context.Context, in *struct {
	Service string `path:"service" maxLength:"128"`
	Body    PlanSubmission
}) (*plain[PlanResult], error) {
	b := in.Body
	out, err := s.Plans.Submit(ctx, actorOf(ctx), planbook.Submission{
		Service: in.Service, Base: b.Base, Hash: b.Hash, File: b.File, Texts: continuity.PlanTexts(b.PlanTexts), Reason: b.Reason, Draft: b.Draft, DryRun: b.DryRun,
	})
	return planResult(ctx, out, err)
}

func (s *server) applyPlan(ctx context.Context, in *struct {
	PlanOf
	Body PlanWord
}) (*plain[PlanResult], error) {
	out, err := s.Plans.Apply(ctx, actorOf(ctx), in.Service, in.Number, in.Body.Note)
	return planResult(ctx, out, err)
}

func planResult(ctx context.Context, out planbook.PlanOutcome, err error) (*plain[PlanResult], error) {
	if err != nil {
		return nil, pointed(err, langOf(ctx))
	}
	return &plain[PlanResult]{PlanResult{out, planbook.Tell(langOf(ctx), out.Warnings)}}, nil
}

// pointed adds to the error of a plan what is wrong, in words, with its place.
func pointed(err error, lang catalogue.Lang) error {
	var e *continuity.Error
	if !errors.As(err, &e) {
		return err
	}
	problems, _ := e.Args["problems"].([]yamldoc.Problem)
	if problems == nil {
		return err
	}
	var fields []FieldError
	for _, p := range problems {
		if p.Severity == yamldoc.Error {
			fields = append(fields, FieldError{In: "file", Name: p.File, Line: p.Line, Column: p.Column, Detail: p.What(lang)})
		}
	}
	return withFields(err, fields)
}

func (s *server) reviewPlan(ctx context.Context, in *struct {
	PlanOf
	Body PlanWord
}) (*plain[continuity.PlanVersion], error) {
	v, err := s.Plans.Review(ctx, actorOf(ctx), in.Service, in.Number, in.Body.Note)
	return &plain[continuity.PlanVersion]{v}, err
}

func (s *server) approvePlan(part string) func(context.Context, *struct {
	PlanOf
	Body PlanWord
}) (*plain[continuity.PlanVersion], error) {
	return func(ctx context.Context, in *struct {
		PlanOf
		Body PlanWord
	}) (*plain[continuity.PlanVersion], error) {
		v, err := s.Plans.Approve(ctx, actorOf(ctx), in.Service, in.Number, part, in.Body.Note)
		return &plain[continuity.PlanVersion]{v}, err
	}
}
