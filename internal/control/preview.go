package control

import (
	"context"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/controlconfig"
	"holdfast/internal/notify"
	"holdfast/internal/notify/kinds"
	"holdfast/internal/notify/sms"
	"holdfast/internal/plan"
	"holdfast/internal/problem"
)

// openPreviews shows what channels would say.
func (n *Node) openPreviews(context.Context) error {
	n.api.Previews = previewDesk{n}
	return nil
}

// channelKinds are the kinds of the node's channels by their ids.
func (n *Node) channelKinds() map[string]notify.Kind {
	all := map[string]notify.Kind{}
	for i := range n.o.Config.Channels {
		all[n.o.Config.Channels[i].ID] = kinds.All[n.o.Config.Channels[i].Kind]
	}
	return all
}

// channelKind is the kind of one of the node's channels.
func (n *Node) channelKind(id string) (notify.Kind, bool) {
	kind, ok := n.channelKinds()[id]
	return kind, ok
}

type previewDesk struct{ *Node }

// Preview implements controlapi.Previews.
func (d previewDesk) Preview(q controlapi.PreviewQuery) (controlapi.ChannelPreview, error) {
	plans, _ := d.plansNow()
	i := slices.IndexFunc(plans, func(p *plan.Plan) bool { return p.ID == q.Service })
	if i < 0 {
		return controlapi.ChannelPreview{}, continuity.E(continuity.CodeNotFound, nil, "kind", "plan", "id", q.Service)
	}
	p, lang := plans[i], catalogue.Lang(q.Language)
	w, err := binding.Word(p, d.channelKind, q.Channel, q.Template, lang, q.Set)
	if err != nil {
		return controlapi.ChannelPreview{}, unworded(err, q)
	}
	ch, _ := p.Channel(q.Channel)
	shown := controlapi.ChannelPreview{
		Service: p.ID, Template: q.Template, Channel: q.Channel, Is: ch.Kind, Via: w.Via, To: w.To, Language: q.Language,
		Subject: w.Subject, Text: w.Text, Open: w.Open,
	}
	if t := w.Template; t != nil {
		shown.Code, shown.Variables = t.Code, t.Variables
	}
	var set controlconfig.Channel
	if i := slices.IndexFunc(d.o.Config.Channels, func(c controlconfig.Channel) bool { return c.ID == w.Via }); i >= 0 {
		set = d.o.Config.Channels[i]
		kind := kinds.All[set.Kind]
		shown.Kind, shown.Longest, shown.PerMinute = kind.Name, kind.Longest, kind.PerMinute
		if set.PerMinute > 0 {
			shown.PerMinute = int(set.PerMinute)
		}
		for _, room := range notify.PerNumber(kind, set.Settings) {
			shown.PerNumber = append(shown.PerNumber, controlapi.NumberLimit{Count: room.Count, Seconds: int(room.Within / time.Second)})
		}
	}
	if ch.Kind == "sms" {
		shown.Text = sms.Signed(notify.SignatureOf(w.Template, set.Settings), shown.Text)
		l := sms.Measure(shown.Text)
		shown.Parts, shown.Encoding = l.Parts, l.Encoding
	}
	shown.Characters = utf8.RuneCountInString(shown.Text)
	return shown, nil
}

// unworded says what is missing.
func unworded(err error, q controlapi.PreviewQuery) error {
	id, value, code := "wording.preview.approved", q.Template, continuity.CodeInvalid
	switch {
	case errors.Is(err, binding.ErrNoChannel):
		id, value, code = "wording.preview.channel", q.Channel, continuity.CodeNotFound
	case errors.Is(err, binding.ErrNoTemplate):
		id, code = "wording.preview.template", continuity.CodeNotFound
	}
	return continuity.E(code, err, problem.DetailID, id, "service", q.Service, "channel", q.Channel, "value", value)
}
