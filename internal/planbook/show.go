package planbook

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// PlanText is what people read, in one language or both.
type PlanText struct {
	En string `json:"en,omitempty"`
	Zh string `json:"zh,omitempty"`
}

// PlanHeading is a plan in a list.
type PlanHeading struct {
	Service   string           `json:"service"`
	Name      PlanText         `json:"name"`
	Owner     PlanPerson       `json:"owner"`
	Profile   string           `json:"profile"`
	Version   int64            `json:"version"` // 0: none holds yet
	Applied   time.Time        `json:"applied,omitzero"`
	Author    continuity.Actor `json:"author"`
	ReviewDue time.Time        `json:"review_due,omitzero"`
	Overdue   bool             `json:"overdue"`
	Drafts    int              `json:"drafts"` // that wait for somebody
	Flags     int              `json:"flags"`  // what needs looking after
	Faulty    bool             `json:"faulty"` // this program would refuse it
	Fault     *yamldoc.Problem `json:"-"`      // the first reason for that
}

// PlanSummary is what holds for a service.
type PlanSummary struct {
	PlanHeading

	Hash     string                  `json:"hash,omitempty"`
	Reason   string                  `json:"reason,omitempty"`
	Review   *continuity.PlanVerdict `json:"review,omitempty"`
	Approval *continuity.PlanVerdict `json:"approval,omitempty"`
	TechOK   *continuity.PlanVerdict `json:"tech_approval,omitempty"`
	Reread   *continuity.PlanVerdict `json:"reread,omitempty"`

	Processes []PlanProcess `json:"processes"`
	Roles     []PlanRole    `json:"roles"`
	Scenarios []PlanEntry   `json:"scenarios"`
	Runbooks  []PlanEntry   `json:"runbooks"`
	Checks    int           `json:"checks"`
	Warnings  int           `json:"warnings"`

	Waiting []PlanDraft       `json:"waiting"` // drafts
	Open    []yamldoc.Problem `json:"-"`       // the flags
}

// PlanProcess is a row of the business impact analysis; times are in seconds.
type PlanProcess struct {
	ID         string   `json:"id"`
	Name       PlanText `json:"name"`
	Department PlanText `json:"department"`
	MTD        float64  `json:"mtd"`
	RTO        float64  `json:"rto"`
	RPO        float64  `json:"rpo"`
	Loss       string   `json:"loss,omitempty"`
	Meanwhile  PlanText `json:"meanwhile"`
}

// PlanRole is who decides or does something.
type PlanRole struct {
	ID     string       `json:"id"`
	Name   PlanText     `json:"name"`
	People []PlanPerson `json:"people"` // the first leads, the rest deputise
	May    []string     `json:"may"`
}

// PlanEntry is a part of a plan by its id.
type PlanEntry struct {
	ID    string   `json:"id"`
	Name  PlanText `json:"name"`
	Grade string   `json:"grade,omitempty"`
}

// PlanDraft is a version that does not hold yet, and the parts of it that nobody has
// approved.
type PlanDraft struct {
	continuity.PlanVersion

	Lacks []string `json:"lacks"`
}

// List returns what the node has, by service, from behind a cursor.
func (b *Book) List(cursor string, limit int) (page []PlanHeading, next string) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	names := b.names()
	from, found := slices.BinarySearch(names, cursor)
	if found {
		from++
	}
	for _, service := range names[from:] {
		if len(page) == limit {
			return page, page[limit-1].Service
		}
		page = append(page, b.heading(b.services[service]))
	}
	return page, ""
}

// heading sums an entry up; people is read, so mu is locked.
func (b *Book) heading(e *entry) PlanHeading {
	now := b.Now()
	h := PlanHeading{Service: e.service, Version: e.version.Number, Applied: e.version.Applied, Author: e.version.Author, Drafts: len(e.drafts)}
	if e.plan != nil {
		h.Name, h.Profile = text(e.plan.Name), e.plan.Profile
		h.Owner = b.people.named(e.plan.Owner, now)
	}
	h.ReviewDue = e.due()
	flags := e.open(now)
	h.Overdue, h.Flags, h.Faulty = e.overdue(now), len(flags), e.faulty()
	if h.Faulty {
		wrong, _ := split(e.flags)
		h.Fault = &wrong[0]
	}
	return h
}

// due is when the plan is to be read through again: so long after it was applied,
// or read through last.
func (e *entry) due() time.Time {
	if e.plan == nil || e.plan.ReviewEvery == (plan.Period{}) {
		return time.Time{}
	}
	last := e.version.Applied
	if e.version.Reread != nil && e.version.Reread.At.After(last) {
		last = e.version.Reread.At
	}
	return e.plan.ReviewEvery.After(last)
}

func (e *entry) overdue(now time.Time) bool {
	due := e.due()
	return !due.IsZero() && now.After(due)
}

// open is what needs looking after: what the reading found, and a review that is
// due.
func (e *entry) open(now time.Time) []yamldoc.Problem {
	flags := slices.Clone(e.flags)
	if e.overdue(now) {
		f := yamldoc.NewFindings(e.plan.File)
		f.Warning(e.plan.Places.At("review_every"), "planbook.review-overdue", "day", e.due().Format(time.DateOnly))
		flags = append(flags, f.Found()...)
	}
	return flags
}

// Show sums up what holds for a service.
func (b *Book) Show(ctx context.Context, service string) (PlanSummary, error) {
	if err := b.refresh(ctx, service); err != nil {
		return PlanSummary{}, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.services[service]
	if e == nil {
		return PlanSummary{}, unknown(service, 0)
	}
	v := e.version
	s := PlanSummary{
		PlanHeading: b.heading(e), Hash: v.Hash, Reason: v.Reason, Review: v.Review, Approval: v.Approval, TechOK: v.TechOK, Reread: v.Reread,
		Processes: []PlanProcess{}, Roles: []PlanRole{}, Scenarios: []PlanEntry{}, Runbooks: []PlanEntry{}, Waiting: []PlanDraft{}, Open: e.open(b.Now()),
	}
	for _, d := range e.drafts {
		s.Waiting = append(s.Waiting, b.draft(d))
	}
	if e.plan != nil {
		b.describe(&s, e.plan)
	}
	return s, nil
}

// draft adds what a version lacks on this node.
func (b *Book) draft(v continuity.PlanVersion) PlanDraft {
	d := PlanDraft{v, []string{}}
	if b.Approval && v.State == continuity.PlanDraft {
		d.Lacks = append(d.Lacks, v.Lacks()...)
	}
	return d
}

func (b *Book) describe(s *PlanSummary, p *plan.Plan) {
	meanwhile := map[string]PlanText{}
	for _, i := range p.Interim {
		meanwhile[i.ID] = text(i.How)
	}
	for _, row := range p.Impact {
		s.Processes = append(s.Processes, PlanProcess{
			row.Process, text(row.Name), text(row.Department), row.MTD.Seconds(), row.RTO.Seconds(), row.RPO.Seconds(), loss(row.Loss), meanwhile[row.Meanwhile],
		})
	}
	for id, role := range p.Roles {
		if role == nil {
			continue
		}
		r := PlanRole{id, text(role.Name), []PlanPerson{}, append([]string{}, role.May...)}
		for _, person := range role.People {
			r.People = append(r.People, b.people.named(person, b.Now()))
		}
		s.Roles = append(s.Roles, r)
	}
	// Who may most comes first, as that is who is looked for.
	slices.SortFunc(s.Roles, func(a, b PlanRole) int {
		if d := len(b.May) - len(a.May); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, sc := range p.Scenarios {
		s.Scenarios = append(s.Scenarios, PlanEntry{sc.ID, text(sc.Name), sc.Grade})
	}
	for _, r := range p.Runbooks {
		s.Runbooks = append(s.Runbooks, PlanEntry{r.ID, text(r.Name), ""})
	}
	s.Warnings = len(p.Warnings)
	if p.Tech != nil {
		s.Checks = len(p.Tech.Checks)
	}
}

func text(t plan.Text) PlanText { return PlanText(t) }

// loss is money over time as it stands in plans.
func loss(l plan.Loss) string {
	switch {
	case l.Currency == "":
		return ""
	case l.Per == time.Minute:
		return l.String() + "/min"
	case l.Per == time.Hour:
		return l.String() + "/h"
	}
	return l.String() + "/d"
}

// Versions returns a page of a service's versions, the first one first.
func (b *Book) Versions(ctx context.Context, service, cursor string, limit int) ([]PlanDraft, string, error) {
	page, next, err := b.Store.Versions(ctx, service, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	list := make([]PlanDraft, len(page))
	for i, v := range page {
		list[i] = b.draft(v)
	}
	return list, next, nil
}

// Compare says in which ways two versions differ. to 0: the one that holds; from
// 0: the one that the other started from.
func (b *Book) Compare(ctx context.Context, service string, from, to int64) (PlanComparison, error) {
	v, after, err := b.Files(ctx, service, to)
	if err != nil {
		return PlanComparison{}, err
	}
	c := PlanComparison{From: from, To: v.Number, Changes: []PlanChange{}}
	if from == 0 {
		c.From = v.Base
	}
	if c.From == 0 {
		return c, nil // it is the first one
	}
	_, before, err := b.Files(ctx, service, c.From)
	if err == nil {
		c.Changes = Diff(service, before, after)
	}
	return c, err
}

// PlanComparison is how two versions differ.
type PlanComparison struct {
	From    int64        `json:"from"` // 0: there was none
	To      int64        `json:"to"`
	Changes []PlanChange `json:"changes"`
}
