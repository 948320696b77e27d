package planbook

import (
	"context"
	"slices"

	"holdfast/internal/continuity"
)

// Review notes that somebody has read a draft, or has read the version that holds
// through and found it right, which begins the time to the next review anew.
// Number 0: the one that holds.
func (b *Book) Review(ctx context.Context, actor continuity.Actor, service string, number int64, note string) (continuity.PlanVersion, error) {
	number, err := b.number(ctx, service, number)
	if err != nil {
		return continuity.PlanVersion{}, err
	}
	v, err := b.Store.Review(ctx, actor, service, number, note)
	return b.judged(ctx, v, err)
}

// person is the kind of actors that can be held to their word: not a token that
// several may know.
const person = "user"

// Approve notes that somebody lets a part of a draft hold.
func (b *Book) Approve(ctx context.Context, actor continuity.Actor, service string, number int64, part, note string) (continuity.PlanVersion, error) {
	v, _, err := b.Files(ctx, service, number)
	if err != nil {
		return v, err
	}
	if v.State == continuity.PlanDraft && !slices.Contains(v.Parts, part) {
		return v, continuity.E(continuity.CodeState, nil, "detail_id", "planbook.nothing-in-part", "plan", service, "number", v.Number, "part", part)
	}
	if actor.Kind != person {
		return v, continuity.E(continuity.CodeApproval, nil, "nobody", true)
	}
	v, err = b.Store.Approve(ctx, actor, service, v.Number, part, note)
	return b.judged(ctx, v, err)
}

// Apply lets a draft hold. It is read again: what has become wrong since it was
// made keeps it out.
func (b *Book) Apply(ctx context.Context, actor continuity.Actor, service string, number int64, reason string) (PlanOutcome, error) {
	if err := b.refreshPeople(ctx); err != nil {
		return PlanOutcome{}, err
	}
	v, texts, err := b.Files(ctx, service, number)
	if err != nil {
		return PlanOutcome{}, err
	}
	_, problems := b.readBeside(fileName(service), texts)
	wrong, warnings := split(problems)
	if len(wrong) > 0 && v.State == continuity.PlanDraft {
		return PlanOutcome{}, continuity.E(continuity.CodeConfig, nil, "plan", service, "count", len(wrong), "problems", problems)
	}
	held, before, err := b.held(ctx, service)
	if err != nil {
		return PlanOutcome{}, err
	}
	if v.State == continuity.PlanDraft && v.Base != held.Number {
		return PlanOutcome{}, b.conflict(ctx, service, v.Base, "", texts)
	}
	out := PlanOutcome{Lacks: []string{}, Changes: []PlanChange{}, Warnings: warnings}
	if held.Number != 0 {
		out.Changes = Diff(service, before, texts)
	}
	out.Version, err = b.Store.Apply(ctx, actor, service, number, b.Approval, reason)
	if continuity.CodeOf(err) == continuity.CodeVersion {
		return PlanOutcome{}, b.conflict(ctx, service, v.Base, "", texts)
	}
	if err != nil {
		return PlanOutcome{}, err
	}
	return out, b.refresh(ctx, service)
}

func (b *Book) judged(ctx context.Context, v continuity.PlanVersion, err error) (continuity.PlanVersion, error) {
	if err != nil {
		return v, err
	}
	return v, b.refresh(ctx, v.Service)
}

func (b *Book) number(ctx context.Context, service string, number int64) (int64, error) {
	v, _, err := b.Files(ctx, service, number)
	return v.Number, err
}
