package incident

import (
	"cmp"
	"context"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

var (
	// What belongs to an incident stands below its id.
	kindsBelow = []string{
		continuity.KindIncident, continuity.KindTask, continuity.KindDecision, continuity.KindSituation, continuity.KindUpdate,
		continuity.KindResource, continuity.KindNote, continuity.KindRun, continuity.KindNotification,
	}
	// What else happens to its service meanwhile belongs to it by its time.
	kindsBeside = []string{
		kindWarning, continuity.ObjectCheck, kindReport, "signal", continuity.KindRoute, continuity.KindWindow, continuity.KindSilence,
		continuity.KindAutoreply, "switched", kindNotice,
	}
	// What says nothing that another line does not say.
	unsaid = []string{"incident.noted", "words.told", "notification.sending", "notification.joined", "notification.told-again", "notification.waiting"}
)

// ahead is how long before a fault the account begins: what led to it.
const ahead = 15 * time.Minute

// mostEntries bounds an account.
const mostEntries = 20_000

// Timeline is all that happened in an incident and, meanwhile, to its service, the
// oldest first; what was merged into it included.
func (a *Acts) Timeline(ctx context.Context, id string) ([]TimelineEntry, error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	said := roleNames{}
	if r, ok := a.o.Plans.Of(k.Service); ok {
		said = r.Roles
	}
	all := []TimelineEntry{}
	err = a.events(ctx, &k, kindsBelow, kindsBeside, func(ev *continuity.AuditEvent) bool {
		if !slices.Contains(unsaid, ev.Action) {
			all = append(all, entryOf(ev, said))
		}
		return len(all) < mostEntries
	})
	slices.SortFunc(all, func(a, b TimelineEntry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Seq, b.Seq)) })
	return all, err
}

// Events are all that belong to an incident: of objects of those kinds below it and
// below what was put together with it, and of what else happened to its service
// meanwhile. They come by kind, each once, until see says that it is enough.
func (a *Acts) Events(ctx context.Context, id string, below []string, see func(*continuity.AuditEvent) bool) error {
	k, err := a.Get(ctx, id)
	if err != nil {
		return err
	}
	return a.events(ctx, &k, below, kindsBeside, see)
}

func (a *Acts) events(ctx context.Context, k *Kept, below, beside []string, see func(*continuity.AuditEvent) bool) error {
	of, err := a.family(ctx, k, nil)
	if err != nil {
		return err
	}
	var queries []continuity.EventQuery
	for _, one := range of {
		queries = append(queries, continuity.EventQuery{Under: one, Kinds: below})
	}
	end := a.now().UTC()
	if ended := later(k.Resolved, k.Closed); !ended.IsZero() && !k.Stands() {
		end = ended.Add(time.Second)
	}
	for _, kind := range beside {
		queries = append(queries, continuity.EventQuery{Service: k.Service, Kind: kind, After: k.Started.Add(-ahead), Before: end})
	}
	seen := map[int64]bool{}
	for _, q := range queries {
		for q.Oldest, q.Limit = true, 1000; ; {
			page, next, err := a.store.Events(ctx, q)
			if err != nil {
				return err
			}
			for i := range page {
				if ev := &page[i]; !seen[ev.Seq] {
					if seen[ev.Seq] = true; !see(ev) {
						return nil
					}
				}
			}
			if q.Cursor = next; next == "" {
				break
			}
		}
	}
	return nil
}

// family is an incident with all that were merged into it.
func (a *Acts) family(ctx context.Context, k *Kept, known []string) ([]string, error) {
	known = append(known, k.ID)
	for _, id := range k.From {
		if slices.Contains(known, id) {
			continue
		}
		other, err := a.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if other.Into != k.ID { // it was split from that one
			continue
		}
		if known, err = a.family(ctx, &other, known); err != nil {
			return nil, err
		}
	}
	return known, nil
}
