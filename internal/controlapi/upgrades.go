package controlapi

import (
	"context"
	"net/http"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/upgrade"
)

// Upgrades bring components to other versions, and back.
type Upgrades interface {
	List(ctx context.Context, q upgrade.Query) (page []upgrade.Kept, next string, err error)
	Get(ctx context.Context, id string) (upgrade.Kept, error)
	Plan(ctx context.Context, by continuity.Actor, d upgrade.Draft) (upgrade.Kept, error)
	Run(ctx context.Context, by continuity.Actor, id string, version int64, despite string) (upgrade.Kept, error)
	Tick(ctx context.Context, by continuity.Actor, id string, version int64, items []string) (upgrade.Kept, error)
	Approve(ctx context.Context, by continuity.Actor, id string, version int64, g upgrade.Agreement) (upgrade.Kept, error)
	Abort(ctx context.Context, by continuity.Actor, id string, version int64, why, class string) (upgrade.Kept, error)
	Rollback(ctx context.Context, by continuity.Actor, id string, version int64, why, class string) (upgrade.Kept, error)
	Settle(ctx context.Context, by continuity.Actor, id string, version int64, why string) (upgrade.Kept, error)
}

// NewUpgrade is an upgrade that somebody wants.
type NewUpgrade struct {
	Service string `json:"service" minLength:"1" maxLength:"128"`
	Upgrade string `json:"upgrade" minLength:"1" maxLength:"128"` // of the plan
	To      string `json:"to" minLength:"1" maxLength:"200"`      // the version
	Why     string `json:"why,omitempty" maxLength:"1000"`
}

// UpgradeRun begins one.
type UpgradeRun struct {
	Despite string `json:"despite,omitempty" maxLength:"1000"` // why it begins whatever was found that blocks
}

// UpgradeTicks are items of the list before it that were done.
type UpgradeTicks struct {
	Items []string `json:"items" minItems:"1" maxItems:"200"`
}

// UpgradeAgreement is how much a person lets be undone; absent: what the plan says.
type UpgradeAgreement struct {
	Minutes *int   `json:"minutes,omitempty" minimum:"0"`
	Records *int64 `json:"records,omitempty" minimum:"0"`
	Note    string `json:"note,omitempty" maxLength:"1000"`
}

// UpgradeWhy is why an upgrade ends, or goes back.
type UpgradeWhy struct {
	Why   string `json:"why" minLength:"1" maxLength:"1000"`
	Class string `json:"class,omitempty" enum:"compatibility,migration,operator,security" default:"operator"`
}

// UpgradeSettled says what a person put right by hand.
type UpgradeSettled struct {
	Why string `json:"why" minLength:"1" maxLength:"1000"`
}

// UpgradePath says which upgrade.
type UpgradePath struct {
	ID string `path:"id" maxLength:"300"`
}

func registerUpgrades(s *server) {
	const all, one = "/api/v1/upgrades", "/api/v1/upgrades/{id}"
	put := func(path, id string, scope access.Scope) operation {
		return operation{Method: http.MethodPut, Path: one + path, ID: id, Scope: scope, Edit: true}
	}
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listUpgrades", Scope: access.UpgradesRead}, s.listUpgrades)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getUpgrade", Scope: access.UpgradesRead}, s.getUpgrade)
	register(s, operation{Method: http.MethodPost, Path: all, ID: "planUpgrade", Scope: access.UpgradesWrite}, s.planUpgrade)
	register(s, put("/run", "runUpgrade", access.UpgradesWrite), s.runUpgrade)
	register(s, put("/tick", "tickUpgrade", access.UpgradesAgree), s.tickUpgrade)
	register(s, put("/approve", "approveUpgrade", access.UpgradesAgree), s.approveUpgrade)
	register(s, put("/abort", "abortUpgrade", access.UpgradesAgree), s.abortUpgrade)
	register(s, put("/rollback", "rollBackUpgrade", access.UpgradesWrite), s.rollBackUpgrade)
	register(s, put("/settle", "settleUpgrade", access.UpgradesWrite), s.settleUpgrade)
}

func shownUpgrade(k upgrade.Kept, err error) (*object[continuity.Upgrade], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Upgrade, k.Version), nil
}

func (s *server) listUpgrades(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	State   string `query:"state" enum:"planned,checking,gate,holding,stepping,verifying,releasing,baking,done,rolling-back,waiting,rolled-back,settled,aborted"`
	All     bool   `query:"all" default:"false"` // those that are over, too
	Paging
}) (*list[continuity.Upgrade], error) {
	page, next, err := s.Upgrades.List(ctx, upgrade.Query{Service: in.Service, State: in.State, All: in.All, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Upgrade, len(page))
	for i := range page {
		items[i] = page[i].Upgrade
	}
	return listOf(items, next), nil
}

func (s *server) getUpgrade(ctx context.Context, in *UpgradePath) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Get(ctx, in.ID))
}

func (s *server) planUpgrade(ctx context.Context, in *struct{ Body NewUpgrade }) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Plan(ctx, actorOf(ctx), upgrade.Draft(in.Body)))
}

func (s *server) runUpgrade(ctx context.Context, in *struct {
	UpgradePath

	Body UpgradeRun
}) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Run(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Despite))
}

func (s *server) tickUpgrade(ctx context.Context, in *struct {
	UpgradePath

	Body UpgradeTicks
}) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Tick(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Items))
}

func (s *server) approveUpgrade(ctx context.Context, in *struct {
	UpgradePath

	Body UpgradeAgreement
}) (*object[continuity.Upgrade], error) {
	g := upgrade.Agreement{Minutes: -1, Records: -1, Note: in.Body.Note}
	if in.Body.Minutes != nil {
		g.Minutes = *in.Body.Minutes
	}
	if in.Body.Records != nil {
		g.Records = *in.Body.Records
	}
	return shownUpgrade(s.Upgrades.Approve(ctx, actorOf(ctx), in.ID, versionOf(ctx), g))
}

func (s *server) abortUpgrade(ctx context.Context, in *struct {
	UpgradePath

	Body UpgradeWhy
}) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Abort(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why, in.Body.Class))
}

func (s *server) rollBackUpgrade(ctx context.Context, in *struct {
	UpgradePath

	Body UpgradeWhy
}) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Rollback(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why, in.Body.Class))
}

func (s *server) settleUpgrade(ctx context.Context, in *struct {
	UpgradePath

	Body UpgradeSettled
}) (*object[continuity.Upgrade], error) {
	return shownUpgrade(s.Upgrades.Settle(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}
