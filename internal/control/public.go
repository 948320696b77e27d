package control

import (
	"context"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/public"
)

// openPublic serves who is outside the company's network, where the settings say so.
func (n *Node) openPublic(ctx context.Context) error {
	acks := &notify.Acks{Store: n.store, Now: time.Now, Addresses: n.addressesOf, Unclaimed: n.answerUnclaimed}
	n.whileLeading("links", func(ctx context.Context, lease *continuity.Lease) {
		n.every(ctx, time.Hour, func(ctx context.Context) error {
			return acks.Sweep(ctx, continuity.Actor{Kind: continuity.ActorEngine, ID: "links", Via: n.name}, lease)
		})
	})
	take := n.hearOfWindows(acks)
	n.pollChannels(take)
	set := n.o.Config.Public
	if set == nil {
		return nil
	}
	o := public.Options{
		Listen: set.Listen, URL: set.URL, Acks: acks, Log: n.log,
		Inbound: func(id string) (public.Inbound, bool) {
			receiver, ok := n.channels.senders[id].channel.(notify.Receiver)
			return public.Inbound{Receiver: receiver, Take: func(ctx context.Context, events []notify.Event) error { return take(ctx, id, events) }}, ok
		},
	}
	if set.TLS != nil {
		o.Cert, o.Key = set.TLS.Cert, set.TLS.Key
	}
	server, err := public.New(o)
	if err != nil {
		return err
	}
	if err := server.Start(ctx, n.fail); err != nil {
		return err
	}
	n.public = server
	n.stack.push(server.Stop)
	n.log.Info("public listener ready", "listen", server.Addr(), "url", set.URL)
	return nil
}

// prove gives a page the link and the code by which it is acknowledged. What is no
// page needs nobody's word.
func (n *Node) prove(note *continuity.Notification, d *continuity.Delivery) (link, reply string, changes []continuity.Change) {
	if note.Urgency != continuity.UrgencyPage {
		return "", "", nil
	}
	l := notify.Link{Notification: note.ID, Delivery: d.ID, Person: d.Person}
	if set := n.o.Config.Public; set != nil {
		token, change := l.Token()
		link, changes = set.URL+"/a/"+token, append(changes, change)
	}
	if n.channels.senders[d.Sender].kind.Answers {
		code, change := l.Code(d.Sender)
		reply, changes = code, append(changes, change)
	}
	return link, reply, changes
}

// addressesOf are the addresses of a person whom plans may name.
func (n *Node) addressesOf(ctx context.Context, id string) ([]string, error) {
	person, _, err := n.store.People().Get(ctx, id)
	all := make([]string, len(person.Addresses))
	for i, a := range person.Addresses {
		all[i] = a.Value
	}
	return all, err
}
