package planbook

import (
	"context"
	"fmt"

	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// Whatever is the base of texts that are to replace whatever holds.
const Whatever int64 = -1

// Submission is a plan that somebody wants to hold.
type Submission struct {
	Service string
	Base    int64  // the applied version that the texts were written from; 0: none; Whatever
	Hash    string // of the base's texts, where it is known
	File    string // the business file's name in problems
	Texts   continuity.PlanTexts
	Reason  string
	Draft   bool // make a version, and don't apply it
	DryRun  bool // make nothing: say only what would become of it
}

// PlanOutcome is what became of a submission, or would.
type PlanOutcome struct {
	Version   continuity.PlanVersion `json:"version"` // number 0: none was made
	Unchanged bool                   `json:"unchanged,omitempty"`
	Lacks     []string               `json:"lacks"` // the parts to be approved before it holds
	Changes   []PlanChange           `json:"changes"`
	Warnings  []yamldoc.Problem      `json:"-"`
}

// Submit makes a version of texts and lets it hold, unless somebody has to approve
// it first.
//
// CodeConfig with all "problems" where there are mistakes; CodeVersion with the
// fields of Conflict where another version holds than the one it started from.
func (b *Book) Submit(ctx context.Context, actor continuity.Actor, s Submission) (PlanOutcome, error) {
	if s.File == "" {
		s.File = fileName(s.Service)
	}
	if err := b.refreshPeople(ctx); err != nil {
		return PlanOutcome{}, err
	}
	p, problems := b.readBeside(s.File, s.Texts)
	problems = append(problems, named(p, s)...)
	wrong, warnings := split(problems)
	if len(wrong) > 0 {
		return PlanOutcome{}, continuity.E(continuity.CodeConfig, nil, "plan", s.Service, "count", len(wrong), "problems", problems)
	}
	for {
		held, texts, err := b.held(ctx, s.Service)
		if err != nil {
			return PlanOutcome{}, err
		}
		out := PlanOutcome{Version: held, Lacks: []string{}, Changes: []PlanChange{}, Warnings: warnings}
		if parts := s.Texts.Differ(texts); len(parts) == 0 {
			out.Unchanged = true
			return out, nil
		} else if s.Base != Whatever && (s.Base != held.Number || s.Hash != "" && s.Hash != held.Hash) {
			return PlanOutcome{}, b.conflict(ctx, s.Service, s.Base, s.Hash, s.Texts)
		} else {
			out.Version = continuity.PlanVersion{Service: s.Service, Base: held.Number, Parts: parts, Author: actor, Reason: s.Reason, State: continuity.PlanDraft}
		}
		if held.Number != 0 {
			out.Changes = Diff(s.Service, texts, s.Texts)
		}
		if b.Approval {
			out.Lacks = out.Version.Lacks()
		}
		if s.DryRun {
			return out, nil
		}
		out.Version, err = b.Store.Draft(ctx, actor, continuity.PlanProposal{
			Service: s.Service, Base: held.Number, Texts: s.Texts, Parts: out.Version.Parts, Reason: s.Reason,
			Apply: !s.Draft && len(out.Lacks) == 0,
		})
		if continuity.CodeOf(err) == continuity.CodeVersion {
			continue // somebody was faster; look again what holds
		}
		if err != nil {
			return PlanOutcome{}, err
		}
		return out, b.refresh(ctx, s.Service)
	}
}

// named refuses a plan for another service than the one it is submitted for, and
// files that it does not name.
func named(p *plan.Plan, s Submission) []yamldoc.Problem {
	if p == nil {
		return nil
	}
	f := yamldoc.NewFindings(s.File)
	if p.ID != "" && p.ID != s.Service {
		f.Error(p.Places.At("id"), "planbook.other-service", "value", p.ID, "service", s.Service)
	}
	known := map[string]bool{}
	for _, name := range p.FileNames() {
		known[name] = true
	}
	for name := range s.Texts.Files {
		if !known[name] {
			f.Error(yamldoc.Place{Line: 1, Column: 1, Length: 1}, "planbook.file-unnamed", "file", name)
		}
	}
	return f.Found()
}

// held is the version that holds, with what it says; number 0: none does.
func (b *Book) held(ctx context.Context, service string) (v continuity.PlanVersion, texts continuity.PlanTexts, err error) {
	_, applied, err := b.Store.Numbers(ctx, service)
	if err != nil || applied == 0 {
		return v, texts, err
	}
	return b.Files(ctx, service, applied)
}

// Files returns a version with what it says; number 0: the one that holds.
func (b *Book) Files(ctx context.Context, service string, number int64) (v continuity.PlanVersion, texts continuity.PlanTexts, err error) {
	if number == 0 {
		if _, number, err = b.Store.Numbers(ctx, service); err != nil {
			return v, texts, err
		}
		if number == 0 {
			return v, texts, unknown(service, 0)
		}
	}
	if v, err = b.Store.Get(ctx, service, number); err != nil {
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			err = unknown(service, number)
		}
		return v, texts, err
	}
	texts, err = b.Store.Texts(ctx, v)
	return v, texts, err
}

func unknown(service string, number int64) error {
	return continuity.E(continuity.CodeNotFound, fmt.Errorf("no version %d of plan %s", number, service), "plan", service, "number", number)
}
