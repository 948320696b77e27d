package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
	"holdfast/internal/reconcile"
	"holdfast/internal/restore"
)

// plan is what somebody proposed to bring back.
type plan struct {
	person string
	why    string
	made   time.Time
}

const (
	planLasts = 24 * time.Hour
	mostPlans = 100
	keysShown = 20
)

// Restore implements api.Restorer: it compares what reached the upstream since a
// time with what the upstream has, and, once another person approves, appends
// what is missing as new records, in order, under the same Idempotency-Keys.
func (d *desk) Restore(ctx context.Context, q api.RestoreRequest) (api.Restoration, error) {
	if err := d.usable(); err != nil {
		return api.Restoration{}, err
	}
	l := d.lane(q.Route)
	switch {
	case l == nil:
		return api.Restoration{}, d.noRoute(q.Route)
	case l.route.Reconcile == nil:
		return api.Restoration{}, invalid("api.invalid.reconcile", "name", q.Route)
	case q.Since.IsZero():
		return api.Restoration{}, invalid("api.invalid.since")
	}
	d.restoring.Lock()
	defer d.restoring.Unlock()
	intake, replaying := d.ledger.Effective(q.Route)
	closed := intake == continuity.IntakeHold && replaying == continuity.ReplayOff && d.ledger.Counters(q.Route).Attempting == 0
	if q.Approve != "" && !closed {
		return api.Restoration{}, invalid("api.invalid.restore-open", "name", q.Route)
	}
	found, compared, err := d.lost(ctx, l, q)
	if err != nil {
		return api.Restoration{}, err
	}
	out := api.Restoration{
		Plan: planOf(q.Route, compared.Missing), Route: q.Route, Looked: len(found.Requests) + found.Pending, There: len(compared.There),
		Missing: len(compared.Missing), Again: len(compared.Again), Undecided: len(compared.Undecided),
		Pending: found.Pending, Gone: found.Gone, Keys: keysOf(compared.Missing), Doubtful: keysOf(compared.Undecided), Open: !closed,
	}
	switch {
	case q.Approve != "":
		return out, d.bringBack(q, &out, compared.Missing)
	case q.DryRun || out.Missing == 0:
		out.Plan = ""
	default:
		if len(d.plans) >= mostPlans {
			clear(d.plans)
		}
		if d.plans == nil {
			d.plans = make(map[string]plan)
		}
		d.plans[out.Plan] = plan{q.Person, q.Why, time.Now()}
	}
	return out, nil
}

// lost reads the journal, then the upstream's list.
func (d *desk) lost(ctx context.Context, l *lane, q api.RestoreRequest) (restore.Found, restore.Compared, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTime)
	defer cancel()
	found, err := restore.Scan(restore.Options{
		Route: q.Route, Since: q.Since, Until: q.Until, Entries: d.journal.All(0), Decode: ledger.Decode,
		Pending: func(r continuity.Receipt) bool {
			st, ok := d.ledger.Status(r)
			return ok && st.State.Pending()
		},
		Elsewhere: func(address string) bool {
			return address != "" && address != l.route.Upstream && !slices.Contains(l.route.Moved, address)
		},
	})
	if err != nil {
		return found, restore.Compared{}, err
	}
	cfg := *l.route.Reconcile
	listed := restore.Listed{Rows: map[string]int{}}
	take := func(key string) { listed.Rows[key]++ }
	if cfg.Applied != "" {
		cfg.Query, listed.Applied = cfg.Applied, map[string]struct{}{}
		take = func(key string) { listed.Applied[key] = struct{}{} }
	}
	if err := reconcile.Rows(ctx, reconcile.Options{Route: q.Route, Config: cfg}, take); err != nil {
		return found, restore.Compared{}, err
	}
	return found, restore.Compare(&l.route, found.Requests, listed, time.Now()), nil
}

// bringBack appends what is missing. Each record is durable before the next is
// appended, so that whatever stops it leaves a beginning of each key's order; to
// plan again finds the rest.
func (d *desk) bringBack(q api.RestoreRequest, out *api.Restoration, missing []restore.Request) error {
	p, known := d.plans[q.Approve]
	switch {
	case !known || out.Plan != q.Approve || time.Since(p.made) > planLasts:
		return invalid("api.invalid.plan", "plan", q.Approve)
	case p.person == q.Person:
		return continuity.E(continuity.CodeApproval, nil)
	}
	_, err := d.ledger.Act(continuity.Act{
		Verb: continuity.VerbRestore, Person: p.person, Approver: q.Person, Route: q.Route,
		Why: fmt.Sprintf("%s (since %s, %d records)", p.why, q.Since.UTC().Format(time.RFC3339), len(missing)),
	})
	if err != nil {
		return err
	}
	for _, m := range missing {
		rec, err := d.ledger.Record(m.Body)
		if err != nil {
			return err
		}
		if rec.Erased { // just now
			continue
		}
		next := *rec
		next.Again, next.Replaces, next.Lost, next.Settle = m.Root, continuity.Receipt{}, false, 0
		next.Receipt = d.hasher.Receipt(rec.Route, rec.Caller+"\x00again\x00"+strconv.Itoa(m.Copies+1), rec.IdempotencyKey)
		if _, _, err := d.ledger.Accept(&next, false); err != nil {
			return err
		}
		out.Appended++
	}
	delete(d.plans, q.Approve)
	return nil
}

// planOf names exactly what would be brought back.
func planOf(route string, missing []restore.Request) string {
	h := sha256.New()
	h.Write([]byte(route))
	for _, m := range missing {
		h.Write(m.Root[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

func keysOf(requests []restore.Request) []string {
	out := []string{}
	for _, r := range requests[:min(len(requests), keysShown)] {
		out = append(out, r.Key)
	}
	return out
}
