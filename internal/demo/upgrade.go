package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

// Releases to which the shop is brought: what is wrong with them, nobody knows before.
const (
	badRelease   = "v2"     // its migration corrupts
	quietRelease = "v2.0.1" // what it does later corrupts
	goodRelease  = "v2.1"
)

// Upgrade tells of a shop that is brought to another release three times: one corrupts
// data at once, one later, when it has been released; the last is right. Orders come all
// the time.
func Upgrade(ctx context.Context, o Options, s Show) (*Report, error) {
	o.Releases = true
	return begin(ctx, "upgrade", o, s, quietly, func(ctx context.Context, p *play) error {
		u := &rollout{play: p}
		for _, act := range []func(context.Context) error{u.cast, u.atOnce, u.later, u.right, u.evaluate} {
			if err := act(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// quietly has a shop that is stopped by an upgrade be no incident by itself, nor a
// warning; and makes the keys of its backups.
func quietly(w *World) error {
	if err := planned(w); err != nil {
		return err
	}
	return w.makeKeys()
}

// rollout is an upgrade as it goes on.
type rollout struct {
	*play

	node  *controlapi.Client
	id    string
	shown time.Time // of the last stage that was said
	steps int       // of its runbook that were said
}

// longest is how long an upgrade, or a rollback, is waited for.
const longest = 2 * time.Minute

func (u *rollout) cast(ctx context.Context) (err error) {
	if u.node, err = u.Administrator(); err != nil {
		return err
	}
	u.answering(ctx, "13800138001", "13800138002", "13800138003", "13800138004", "13800138005")
	u.say("demo.upgrade.cast", "release", oldRelease, "shop", u.at.Shop, "database", u.at.Postgres, "relay", u.at.Relay, "control", u.at.Control, "rate", u.Rate)
	u.say("demo.upgrade.clock", "bake_seconds", bake.Seconds(), "recount_seconds", recount.Seconds())
	if err := u.check(ctx, "answers", "up"); err != nil {
		return err
	}
	return pause(ctx, 3*time.Second) // there are orders to be spoilt
}

// chapter begins another upgrade.
func (u *rollout) chapter(text string) {
	fmt.Fprintln(u.Out)
	u.line("1;33", text)
}

// get is the upgrade as it is; what came of it since it was asked last is said.
func (u *rollout) get(ctx context.Context) (continuity.Upgrade, error) {
	is, _, err := controlapi.Get[continuity.Upgrade](ctx, u.node, "/upgrades/"+u.id, nil)
	if err != nil {
		return is, err
	}
	for _, step := range is.Checked[min(u.steps, len(is.Checked)):] {
		u.line("36", "  "+u.t("demo.upgrade.step", "step", step))
	}
	u.steps = len(is.Checked)
	for _, m := range is.Trail {
		if !m.At.After(u.shown) {
			continue
		}
		// The runbook's steps are told instead of the stages between them.
		if u.shown = m.At; m.Stage != "step-data" && (m.Stage != "step" || len(is.Checked) == 0) {
			state, stage := u.t("upgrade.state."+stateOf(m.Stage, is.State)), u.t("upgrade.stage."+m.Stage)
			if state != stage {
				state = u.t("demo.upgrade.stage", "state", state, "stage", stage)
			}
			u.line("36", "  "+state)
		}
	}
	return is, nil
}

// stateOf is what a stage that has passed was part of.
func stateOf(stage, now string) string {
	if strings.HasPrefix(stage, "back-") {
		return continuity.UpgradeRolling
	}
	for state, stages := range map[string][]string{
		continuity.UpgradePlanned: {"look", "ready"}, continuity.UpgradeChecking: {"check"},
		continuity.UpgradeGate:     {"items", "backups", "rehearse", "fit", "approve"},
		continuity.UpgradeHolding:  {"baseline", "hold", "picture", "moment"},
		continuity.UpgradeStepping: {"step", "step-data"}, continuity.UpgradeVerifying: {"verify", "verify-data"},
		continuity.UpgradeReleasing: {"release", "drain"}, continuity.UpgradeBaking: {"bake"},
	} {
		if slices.Contains(stages, stage) {
			return state
		}
	}
	return now
}

// becomes waits until the upgrade is so. That the control node does not answer for a
// while is part of the story.
func (u *rollout) becomes(ctx context.Context, what string, so func(continuity.Upgrade) bool) (is continuity.Upgrade, err error) {
	waiting, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	var last error
	for {
		got, err := u.get(waiting)
		switch {
		case err != nil && waiting.Err() == nil:
			last = err
		case err == nil && so(got):
			return got, nil
		case err == nil:
			is, last = got, nil
			if got.Over() || got.State == continuity.UpgradeWaiting {
				return got, fmt.Errorf("demo: %s: the upgrade %s is %s: %s", what, u.id, got.State, u.why(&got))
			}
		}
		select {
		case <-waiting.Done():
			return is, errors.Join(fmt.Errorf("demo: %s: %w; it is %s, %s", what, waiting.Err(), is.State, is.Stage), last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// why is what was found, in words.
func (u *rollout) why(is *continuity.Upgrade) string {
	var all []continuity.CheckReason
	if is.Failure != nil {
		all = append(all, is.Failure.Reasons...)
	}
	for _, r := range []*continuity.CheckReason{is.Trying, is.Asks} {
		if r != nil {
			all = append(all, *r)
		}
	}
	var words []string
	for _, r := range all[:min(len(all), 2)] { // the others say the same of other tables
		words = append(words, catalogue.Text(u.Lang, r.Code, r.Args))
	}
	return strings.Join(words, map[catalogue.Lang]string{catalogue.En: "; ", catalogue.Zh: "；"}[u.Lang])
}

// act has a person do something with the upgrade, whatever its engine does meanwhile.
func (u *rollout) act(ctx context.Context, who, verb string, body any) error {
	c, err := u.As(ctx, who)
	if err != nil {
		return err
	}
	_, _, err = controlapi.Put[continuity.Upgrade](ctx, c, "/upgrades/"+u.id+"/"+verb, continuity.VersionAny, body)
	return err
}

// begins plans an upgrade, says what was found, has people tick off what comes first and
// agree, and waits until orders are held for it.
func (u *rollout) begins(ctx context.Context, to string) error {
	c, err := u.As(ctx, "chen.jie")
	if err != nil {
		return err
	}
	is, err := controlapi.Post[continuity.Upgrade](ctx, c, "/upgrades", map[string]any{"service": Service, "upgrade": Service, "to": to, "why": u.t("demo.upgrade.words.why")})
	if err != nil {
		return err
	}
	u.id, u.shown, u.steps = is.ID, time.Time{}, 0
	is, err = u.becomes(ctx, "it was looked at", func(is continuity.Upgrade) bool { return is.Stage == "ready" })
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, f := range is.Findings {
		counts[f.Level]++
	}
	u.say("demo.upgrade.findings", "ok", counts[continuity.FindingOK], "warn", counts[continuity.FindingWarn], "block", counts[continuity.FindingBlock])
	for _, f := range is.Findings {
		mark := map[string]string{continuity.FindingOK: "✓", continuity.FindingWarn: "!", continuity.FindingBlock: "✗"}[f.Level]
		u.line("36", "  "+mark+" "+catalogue.Text(u.Lang, f.Reason.Code, f.Reason.Args))
	}
	body := map[string]any{}
	if counts[continuity.FindingBlock] > 0 {
		body["despite"] = u.t("demo.upgrade.words.despite")
	}
	if err := u.act(ctx, "chen.jie", "run", body); err != nil {
		return err
	}
	if _, err := u.becomes(ctx, "its list waits", func(is continuity.Upgrade) bool { return is.Stage == "items" }); err != nil {
		return err
	}
	if err := u.act(ctx, "chen.jie", "tick", map[string]any{"items": []string{"notes"}}); err != nil {
		return err
	}
	if is, err = u.becomes(ctx, "two people are asked", func(is continuity.Upgrade) bool { return is.Stage == "approve" }); err != nil {
		return err
	}
	for _, who := range []string{"zhang.min", "chen.jie"} {
		if err := u.act(ctx, who, "approve", map[string]any{}); err != nil {
			return err
		}
	}
	if is, err = u.becomes(ctx, "orders are held", func(is continuity.Upgrade) bool { return !is.Held.IsZero() }); err != nil {
		return err
	}
	a := is.Approvals[len(is.Approvals)-1]
	u.say("demo.upgrade.agreed", "minutes", a.Minutes, "records", a.Records)
	u.say("demo.holds")
	return nil
}

// back waits until it has gone back, and looks whether the release before runs.
func (u *rollout) back(ctx context.Context) (continuity.Upgrade, error) {
	is, err := u.becomes(ctx, "it went back", func(is continuity.Upgrade) bool { return is.State == continuity.UpgradeRolled })
	if err != nil {
		return is, err
	}
	u.say("demo.upgrade.back", "version", is.Back.Version, "way", u.t("upgrade.way."+is.Back.Way), "again", is.Back.Redelivered)
	return is, u.runs(ctx, oldRelease, is.Back.Version)
}

// runs holds what runs against what should.
func (u *rollout) runs(ctx context.Context, want, told string) error {
	out, err := u.Holdfast(ctx, "demo", "shop", "version", "--url", u.ShopURL())
	if err == nil && (strings.TrimSpace(out) != want || told != want) {
		err = fmt.Errorf("demo: the shop is %s, the upgrade says %s; it should be %s", strings.TrimSpace(out), told, want)
	}
	return err
}

// failing waits until it goes back, and says why.
func (u *rollout) failing(ctx context.Context) (continuity.Upgrade, error) {
	return u.becomes(ctx, "corruption is found", func(is continuity.Upgrade) bool { return is.Failure != nil })
}

// atOnce: the migration itself corrupts.
func (u *rollout) atOnce(ctx context.Context) error {
	u.chapter(u.t("demo.upgrade.first", "to", badRelease))
	if err := u.begins(ctx, badRelease); err != nil {
		return err
	}
	is, err := u.failing(ctx)
	if err != nil {
		return err
	}
	u.say("demo.upgrade.found", "step", is.Failure.Step, "why", u.why(&is))
	if is, err = u.back(ctx); err != nil {
		return err
	}
	u.promised("upgrade-at-once", is.Failure.Step == "migrate" && is.Failure.Data && is.Failure.Class == continuity.UpgradeMigration && is.Released.IsZero(), is.Failure.Step, " ", is.Failure.Class)
	u.measured("upgrade-at-once", is.Held, is.Failure.At)
	u.measured("upgrade-back", is.Failure.At, is.Back.Ended)
	return nil
}

// later: it is released, and corrupts afterwards. Whoever leads it back is killed in the
// middle of that.
func (u *rollout) later(ctx context.Context) error {
	u.chapter(u.t("demo.upgrade.second", "to", quietRelease, "recount_seconds", recount.Seconds()))
	if err := u.begins(ctx, quietRelease); err != nil {
		return err
	}
	is, err := u.becomes(ctx, "it is released", func(is continuity.Upgrade) bool { return is.State == continuity.UpgradeBaking })
	if err != nil {
		return err
	}
	u.say("demo.upgrade.released", "to", quietRelease, "bake_seconds", bake.Seconds())
	if is, err = u.failing(ctx); err != nil {
		return err
	}
	u.say("demo.upgrade.found-later", "after_seconds", is.Failure.At.Sub(is.Released).Round(time.Second).Seconds(), "why", u.why(&is))
	if is, err = u.becomes(ctx, "data is being restored", func(is continuity.Upgrade) bool { return is.Stage == "back-restore" }); err != nil {
		return err
	}
	if err := u.Control.Kill(); err != nil {
		return err
	}
	killed := time.Now()
	u.line("1;31", u.t("demo.upgrade.killed", "pid", u.Control.PID(), "stage", u.t("upgrade.stage."+is.Stage)))
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	if err := u.StartControl(); err != nil {
		return err
	}
	u.say("demo.upgrade.again", "pid", u.Control.PID())
	if is, err = u.back(ctx); err != nil {
		return err
	}
	u.promised("upgrade-later", is.Failure.Data && !is.Released.IsZero() && is.Failure.At.After(is.Released), is.Failure.Class)
	u.promised("upgrade-killed", is.Back.Ended.After(killed) && is.Back.Began.Before(killed), "")
	u.promised("upgrade-again", is.Back.Redelivered > 0, is.Back.Redelivered)
	u.measured("upgrade-later", is.Released, is.Failure.At)
	u.measured("upgrade-back-killed", is.Failure.At, is.Back.Ended)
	return nil
}

// right: the release that is right goes through.
func (u *rollout) right(ctx context.Context) error {
	u.chapter(u.t("demo.upgrade.third", "to", goodRelease))
	if err := u.begins(ctx, goodRelease); err != nil {
		return err
	}
	is, err := u.becomes(ctx, "it is released", func(is continuity.Upgrade) bool { return is.State == continuity.UpgradeBaking })
	if err != nil {
		return err
	}
	u.say("demo.upgrade.released", "to", goodRelease, "bake_seconds", bake.Seconds())
	u.measured("upgrade-held", is.Held, is.Released)
	if is, err = u.becomes(ctx, "it is done", func(is continuity.Upgrade) bool { return is.State == continuity.UpgradeDone }); err != nil {
		return err
	}
	u.promised("upgrade-done", is.Failure == nil && is.Back == nil, u.why(&is))
	u.say("demo.upgrade.done", "to", goodRelease)
	return u.runs(ctx, goodRelease, is.To)
}

// evaluate asks the shop's own invariants, and the product's comparison.
func (u *rollout) evaluate(ctx context.Context) error {
	if err := u.drained(ctx); err != nil {
		return err
	}
	out, err := u.Holdfast(ctx, "demo", "shop", "invariants", "--dsn-file", "shop.dsn")
	u.promised("upgrade-sound", err == nil, out)
	// Of what was delivered again, only the later record counts as delivered.
	r, words, err := u.compare(ctx)
	if err != nil {
		return err
	}
	u.promised("reconciled", r.Clean && r.Found > 0, words)
	u.say("demo.reconciled", "what", words)
	return nil
}
