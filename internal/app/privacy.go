package app

import (
	"context"
	"strings"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// FindPrivate implements api.Privacy. The journal keeps who asked.
func (d *desk) FindPrivate(ctx context.Context, req api.PrivacyRequest) (api.PrivacyResult, error) {
	if err := d.usable(); err != nil {
		return api.PrivacyResult{}, err
	}
	found, err := d.ledger.Find(ctx, d.subject(req), req.Person, req.Why)
	if err != nil {
		return api.PrivacyResult{}, err
	}
	d.log.Info("a person looked for a customer's requests", "person", req.Person, "route", req.Route, "found", len(found), "why", req.Why)
	return private(found, 0), nil
}

// ErasePrivate implements api.Privacy. It reaches last good responses, too; what
// webhooks have yet to tell are receipts, states and times, as they stay in the
// journal. No exchange of the master key goes on
// meanwhile.
func (d *desk) ErasePrivate(ctx context.Context, req api.PrivacyRequest) (api.PrivacyResult, error) {
	if err := d.usable(); err != nil {
		return api.PrivacyResult{}, err
	}
	if err := d.ledger.Latched(); err != nil {
		return api.PrivacyResult{}, continuity.E(continuity.CodeLatched, err)
	}
	d.rotating.Lock()
	defer d.rotating.Unlock()
	found, discarded, err := d.ledger.Erase(ctx, d.subject(req), req.Person, req.Why)
	if err != nil {
		return api.PrivacyResult{}, err
	}
	_, name, _ := strings.Cut(req.Caller, ":") // its way is the relay's own word
	replies := d.engine.ForgetReplies(req.Key) + d.engine.ForgetReplies(name)
	if drainer := d.drainer(req.Route); drainer != nil {
		drainer.Nudge()
	}
	d.log.Info("a person erased a customer's requests", "person", req.Person, "route", req.Route, "found", len(found), "discarded", discarded, "replies", replies, "why", req.Why)
	return private(found, discarded), nil
}

func (d *desk) subject(req api.PrivacyRequest) ledger.Subject {
	s := ledger.Subject{Route: req.Route, Text: req.Key, Caller: req.Caller}
	if req.Key != "" {
		s.Key = d.hasher.KeyTag(req.Route, req.Key)
	}
	return s
}

func private(found []ledger.Found, discarded int) api.PrivacyResult {
	out := api.PrivacyResult{Items: make([]api.PrivateItem, 0, len(found)), Discarded: discarded}
	for _, f := range found {
		item := api.PrivateItem{State: f.State.String(), At: f.At, Entries: f.Entries, Passed: f.Recorded, Erased: f.Erased}
		if !f.Recorded {
			item.Receipt = f.Receipt.String()
		}
		if !f.Ended.IsZero() {
			item.Ended = &f.Ended
		}
		out.Items = append(out.Items, item)
	}
	return out
}
