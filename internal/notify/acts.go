package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Acts are what people see of notifications and do with them, on any node.
type Acts struct {
	store  Store
	router Router
	now    func() time.Time
}

// NewActs makes them.
func NewActs(store Store, router Router, now func() time.Time) *Acts {
	return &Acts{store, router, now}
}

// Query selects notifications.
type Query struct {
	Service string
	About   string
	State   string
	All     bool // those that are over, too
	Cursor  string
	Limit   int
}

// Kept is a notification with its version.
type Kept struct {
	continuity.Notification

	Version int64
}

// Detail is a notification with its deliveries.
type Detail struct {
	continuity.Notification

	Deliveries []continuity.Delivery `json:"deliveries_made" nullable:"false"`
}

// Standing is how many notifications are in which state: together all that were
// asked for and are not forgotten.
type Standing struct {
	Asked  int            `json:"asked"`
	States map[string]int `json:"states"`
}

// List returns a page of notifications by their ids; it may have fewer than asked
// for, as what is not selected is read with the others.
func (a *Acts) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	for next = q.Cursor; ; {
		objects, after, err := a.store.List(ctx, continuity.Query{Kind: continuity.KindNotification, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := read(o)
			if err != nil {
				return nil, "", err
			}
			if (q.All || q.State != "" || !k.Over()) && (q.State == "" || q.State == k.State) && (q.About == "" || q.About == k.About) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

func read(o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Notification)
}

// Get returns one notification with its deliveries, and its version.
func (a *Acts) Get(ctx context.Context, id string) (Detail, int64, error) {
	k, err := a.get(ctx, id)
	d := Detail{Notification: k.Notification, Deliveries: []continuity.Delivery{}}
	for i := 1; err == nil && i <= k.Deliver; i++ {
		var o continuity.Object
		if o, err = a.store.Get(ctx, continuity.KindDelivery, fmt.Sprintf("%s.d-%d", id, i)); err == nil {
			var v continuity.Delivery
			err = json.Unmarshal(o.Body, &v)
			d.Deliveries = append(d.Deliveries, v)
		}
	}
	return d, k.Version, err
}

func (a *Acts) get(ctx context.Context, id string) (Kept, error) {
	o, err := a.store.Get(ctx, continuity.KindNotification, id)
	if err != nil {
		return Kept{}, err
	}
	return read(o)
}

// Standing counts notifications by their states.
func (a *Acts) Standing(ctx context.Context, service string) (Standing, error) {
	s := Standing{States: map[string]int{}}
	for cursor := ""; ; {
		page, next, err := a.store.List(ctx, continuity.Query{Kind: continuity.KindNotification, Service: service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return s, err
		}
		for _, o := range page {
			k, err := read(o)
			if err != nil {
				return s, err
			}
			s.Asked++
			s.States[k.State]++
		}
		if cursor = next; cursor == "" {
			return s, nil
		}
	}
}

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "notify.invalid." + what}, pairs...)...)
}

// Send asks for a notification by a person's hand.
func (a *Acts) Send(ctx context.Context, by continuity.Actor, n continuity.Notification) (Kept, error) {
	now := a.now().UTC()
	if len(n.To) == 0 {
		return Kept{}, invalid("nobody")
	}
	if n.Template == "" && n.Text == (continuity.Text{}) && n.Subject == (continuity.Text{}) {
		return Kept{}, invalid("text")
	}
	for _, to := range append(slices.Clone(n.To), n.Escalate...) {
		targets, err := a.router.Resolve(ctx, Ask{Service: n.Service, To: to, Urgency: n.Urgency, Channels: n.Channels, Template: n.Template, At: now})
		if err != nil {
			return Kept{}, err
		}
		if len(targets) == 0 {
			return Kept{}, invalid("to", "kind", to.Kind, "id", to.ID)
		}
	}
	if n.Template != "" {
		words, ok := a.router.Words(n.Service, n.Template)
		if !ok {
			return Kept{}, invalid("template", "id", n.Template)
		}
		if _, _, missing := words.filled(n.Vars); len(missing) > 0 {
			slices.Sort(missing)
			return Kept{}, invalid("vars", "words", strings.Join(slices.Compact(missing), ", "))
		}
	}
	n.ID = n.Service + ".n-" + stamp(now)
	n.About, n.At = "service/"+n.Service, now
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{continuity.Tell(n)}})
	if err != nil {
		return Kept{}, err
	}
	return read(objects[0])
}

// stamp is a short text that differs each time, in the order of times.
func stamp(now time.Time) string {
	return strconv.FormatInt(now.UnixMilli(), 36) + strings.ToLower(rand.Text()[:4])
}

// Acknowledge notes that a person takes care of it. What was told with another one
// is acknowledged with that. Version is the one that they saw, or
// continuity.VersionAny.
func (a *Acts) Acknowledge(ctx context.Context, by continuity.Actor, id string, version int64) (Kept, error) {
	for range 10 {
		k, err := a.get(ctx, id)
		if err != nil {
			return k, err
		}
		if (k.State == continuity.NotifyGrouped || k.State == continuity.NotifyRepeated) && k.By != "" {
			id, version = k.By, continuity.VersionAny
			continue
		}
		if k.Over() {
			return k, continuity.E(continuity.CodeState, nil, "detail_id", "notify.over", "id", id, "state", k.State, "state_text", "notify.state."+k.State)
		}
		if version != continuity.VersionAny && version != k.Version {
			return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindNotification, "id", id, "version", k.Version)
		}
		now := a.now().UTC()
		k.State, k.AckBy, k.AckAt, k.Since, k.Ended = continuity.NotifyAcknowledged, &by, now, now, now
		if k.Shown, err = shownAt(ctx, a.store, k.Exercise, now); err != nil {
			return k, err
		}
		change := continuity.Set(continuity.KindNotification, id, k.Service, k.Version, "notification.acknowledged", "", k.Notification)
		objects, err := a.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{change}})
		if continuity.CodeOf(err) == continuity.CodeVersion && version == continuity.VersionAny {
			continue // the engine wrote meanwhile
		}
		if err != nil {
			return k, err
		}
		return read(objects[0])
	}
	return Kept{}, continuity.E(continuity.CodeBusy, nil)
}
