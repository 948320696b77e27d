package controlapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// Notifications are what people are told, and what keeps it from them.
type Notifications interface {
	List(ctx context.Context, q notify.Query) (page []notify.Kept, next string, err error)
	Get(ctx context.Context, id string) (notify.Detail, int64, error)
	Send(ctx context.Context, by continuity.Actor, n continuity.Notification) (notify.Kept, error)
	Acknowledge(ctx context.Context, by continuity.Actor, id string, version int64) (notify.Kept, error)
	Standing(ctx context.Context, service string) (notify.Standing, error)

	Silence(ctx context.Context, by continuity.Actor, s continuity.Silence) (notify.KeptSilence, error)
	GetSilence(ctx context.Context, id string) (notify.KeptSilence, error)
	EndSilence(ctx context.Context, by continuity.Actor, id string, version int64) (notify.KeptSilence, error)
	Silences(ctx context.Context, service string, past bool, cursor string, limit int) (page []notify.KeptSilence, next string, err error)
}

// Addressee is who is to be told.
type Addressee struct {
	Kind    string `json:"kind" enum:"person,role,deputies,team,audience,group,address"`
	ID      string `json:"id" minLength:"1" maxLength:"128"`
	Address string `json:"address,omitempty" maxLength:"300"` // with address, whose id is a channel
}

// Sending is a message that a person wants sent.
type Sending struct {
	Service   string            `json:"service" minLength:"1" maxLength:"128"`
	Urgency   string            `json:"urgency,omitempty" enum:"page,notice,info" default:"notice"`
	To        []Addressee       `json:"to" minItems:"1" maxItems:"100"`
	Channels  []string          `json:"channels,omitempty" maxItems:"20"` // of the plan, the first goes first
	Doubled   bool              `json:"doubled,omitempty"`                // by text message or mail, too
	Template  string            `json:"template,omitempty" maxLength:"128"`
	Vars      map[string]string `json:"vars,omitempty"`
	Subject   continuity.Text   `json:"subject,omitzero"`
	Text      continuity.Text   `json:"text,omitzero"`
	AckWithin int               `json:"ack_within,omitempty" minimum:"10" maximum:"86400"` // seconds
	Escalate  []Addressee       `json:"escalate,omitempty" maxItems:"20"`
}

// SilenceBegin is a time in which warnings are not told.
type SilenceBegin struct {
	Service string    `json:"service" minLength:"1" maxLength:"128"`
	Match   []string  `json:"match,omitempty" maxItems:"100"` // checks, components, warnings; none: all of the service
	From    time.Time `json:"from,omitzero"`                  // absent: now
	Until   time.Time `json:"until"`
	Why     string    `json:"why" minLength:"1" maxLength:"1000"`
}

func registerNotifications(s *server) {
	const all, silences = "/api/v1/notifications", "/api/v1/silences"
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listNotifications", Scope: access.NotificationsRead}, s.listNotifications)
	register(s, operation{Method: http.MethodGet, Path: all + "/{id}", ID: "getNotification", Scope: access.NotificationsRead}, s.getNotification)
	register(s, operation{Method: http.MethodPost, Path: all, ID: "sendNotification", Scope: access.NotificationsWrite}, s.sendNotification)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/acknowledgement", ID: "acknowledgeNotification", Scope: access.NotificationsWrite, Edit: true}, s.acknowledgeNotification)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/notification-states", ID: "countNotifications", Scope: access.NotificationsRead}, s.countNotifications)
	register(s, operation{Method: http.MethodGet, Path: silences, ID: "listSilences", Scope: access.NotificationsRead}, s.listSilences)
	register(s, operation{Method: http.MethodGet, Path: silences + "/{id}", ID: "getSilence", Scope: access.NotificationsRead}, s.getSilence)
	register(s, operation{Method: http.MethodPost, Path: silences, ID: "beginSilence", Scope: access.NotificationsWrite}, s.beginSilence)
	register(s, operation{Method: http.MethodPut, Path: silences + "/{id}/end", ID: "endSilence", Scope: access.NotificationsWrite, Edit: true}, s.endSilence)
}

func (s *server) listNotifications(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	About   string `query:"about" maxLength:"300"` // KIND/ID
	State   string `query:"state" enum:"new,sending,waiting,delivered,acknowledged,failed,silenced,grouped,repeated,cancelled"`
	All     bool   `query:"all" default:"false"` // those that are over, too
	Paging
}) (*list[continuity.Notification], error) {
	page, next, err := s.Notifications.List(ctx, notify.Query{Service: in.Service, About: in.About, State: in.State, All: in.All, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Notification, len(page))
	for i := range page {
		items[i] = page[i].Notification
		maskNotification(&items[i])
	}
	return listOf(items, next), nil
}

// maskNotification masks the addresses of those who are nobody that is known.
func maskNotification(n *continuity.Notification) {
	n.To, n.Escalate = maskedRecipients(n.To), maskedRecipients(n.Escalate)
}

func maskDelivery(d *continuity.Delivery) { d.To.Address = notify.Mask(d.To.Address) }

func maskedRecipients(to []continuity.Recipient) []continuity.Recipient {
	to = slices.Clone(to)
	for i := range to {
		to[i].Address = notify.Mask(to[i].Address)
	}
	return to
}

func (s *server) getNotification(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"300"`
}) (*object[notify.Detail], error) {
	d, version, err := s.Notifications.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	maskNotification(&d.Notification)
	for i := range d.Deliveries {
		maskDelivery(&d.Deliveries[i])
	}
	return objectOf(d, version), nil
}

func shownNotification(k notify.Kept, err error) (*object[continuity.Notification], error) {
	if err != nil {
		return nil, err
	}
	maskNotification(&k.Notification)
	return objectOf(k.Notification, k.Version), nil
}

func (s *server) sendNotification(ctx context.Context, in *struct{ Body Sending }) (*object[continuity.Notification], error) {
	b := in.Body
	if b.Urgency == "" {
		b.Urgency = continuity.UrgencyNotice
	}
	return shownNotification(s.Notifications.Send(ctx, actorOf(ctx), continuity.Notification{
		Service: b.Service, Urgency: b.Urgency, To: recipientsOf(b.To), Channels: b.Channels, Doubled: b.Doubled, Template: b.Template, Vars: b.Vars,
		Subject: b.Subject, Text: b.Text, AckWithin: time.Duration(b.AckWithin) * time.Second, Escalate: recipientsOf(b.Escalate),
	}))
}

func recipientsOf(all []Addressee) []continuity.Recipient {
	out := make([]continuity.Recipient, len(all))
	for i, a := range all {
		out[i] = continuity.Recipient{Kind: a.Kind, ID: a.ID, Address: a.Address}
	}
	return out
}

func (s *server) acknowledgeNotification(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"300"`
}) (*object[continuity.Notification], error) {
	return shownNotification(s.Notifications.Acknowledge(ctx, actorOf(ctx), in.ID, versionOf(ctx)))
}

func (s *server) countNotifications(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
}) (*plain[notify.Standing], error) {
	all, err := s.Notifications.Standing(ctx, in.Service)
	return &plain[notify.Standing]{all}, err
}

func shownSilence(k notify.KeptSilence, err error) (*object[continuity.Silence], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Silence, k.Version), nil
}

func (s *server) listSilences(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Past    bool   `query:"past" default:"false"`
	Paging
}) (*list[continuity.Silence], error) {
	page, next, err := s.Notifications.Silences(ctx, in.Service, in.Past, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Silence, len(page))
	for i := range page {
		items[i] = page[i].Silence
	}
	return listOf(items, next), nil
}

func (s *server) getSilence(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"300"`
}) (*object[continuity.Silence], error) {
	return shownSilence(s.Notifications.GetSilence(ctx, in.ID))
}

func (s *server) beginSilence(ctx context.Context, in *struct{ Body SilenceBegin }) (*object[continuity.Silence], error) {
	b := in.Body
	return shownSilence(s.Notifications.Silence(ctx, actorOf(ctx), continuity.Silence{Service: b.Service, Match: b.Match, From: b.From, Until: b.Until, Why: b.Why}))
}

func (s *server) endSilence(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"300"`
}) (*object[continuity.Silence], error) {
	return shownSilence(s.Notifications.EndSilence(ctx, actorOf(ctx), in.ID, versionOf(ctx)))
}
