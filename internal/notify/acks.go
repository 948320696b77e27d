package notify

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// KindLink is the kind of the objects behind links and codes that acknowledge. The
// id is a hash of the token or code, which itself is kept nowhere.
const KindLink = "acktoken"

const (
	// shownFor is how long a link goes on to show who acknowledged.
	shownFor = time.Hour
	// trialFor is how long the link of a channel's test is good.
	trialFor = 24 * time.Hour
	// linksFor is how long a link is kept at least whose notification is not there:
	// it may be on its way.
	linksFor = 24 * time.Hour
	// ackTries is how often a change is made anew that somebody else was faster than.
	ackTries = 8
	// mostBy bounds what somebody says of who they are.
	mostBy = 80
)

// Link is what a token or a code stands for: leave to acknowledge one thing.
type Link struct {
	Notification string          `json:"notification,omitempty"`
	Trial        string          `json:"trial,omitempty"`    // CHANNEL/TRIAL: it was a test of a channel
	Person       string          `json:"person,omitempty"`   // whom it was sent to; none: a room or nobody known
	Delivery     string          `json:"delivery,omitempty"` // that bears it: what it tells besides is acknowledged, too
	Subject      continuity.Text `json:"subject,omitzero"`   // as it was said, where the notification names a template only
}

var tokenForm = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	tokenBytes, tokenLength = 16, 26
	codeBytes, codeLength   = 5, 8
)

// Token makes a token for a link's address, and the change that makes it good.
func (l Link) Token() (token string, c continuity.Change) {
	token = random(tokenBytes)
	return token, l.change(tokenID(token))
}

// Code makes a code that somebody sends back over a channel, and the change that
// makes it good there. It is short, and so counts only where the channel's
// provider vouches for the answer.
func (l Link) Code(channel string) (code string, c continuity.Change) {
	for code == "" || !strings.ContainsAny(code, "234567") { // so that it is no word
		code = random(codeBytes)
	}
	return code, l.change(codeID(channel, code))
}

func (l Link) change(id string) continuity.Change {
	body, err := json.Marshal(l)
	if err != nil {
		panic(err) // it is made of texts
	}
	return continuity.Change{Kind: KindLink, ID: id, Version: continuity.VersionNew, Body: body, Action: "link.made"}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return tokenForm.EncodeToString(b)
}

// tokenID is where a token's link is. Whoever looks for a token learns nothing by
// how long it takes: what is compared is its hash.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func codeID(channel, code string) string {
	sum := sha256.Sum256([]byte(channel + "\n" + code))
	return "code-" + hex.EncodeToString(sum[:])
}

// isToken reports whether a text can be a token of so many characters.
func isToken(text string, length int) bool {
	return len(text) == length && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// AckStore is where notifications and links are kept.
type AckStore interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
}

// Acks has notifications acknowledged: by links, by codes, by what providers tell.
// Any node does it; the one that leads follows the events.
type Acks struct {
	Store SentStore
	// Addresses are those of a person, by which an answer without a code is theirs;
	// nil: such answers count for nothing.
	Addresses func(ctx context.Context, person string) ([]string, error)
	// Unclaimed is told what somebody writes to a channel that belongs to nothing that
	// they were told; nil: nobody wants to know.
	Unclaimed func(ctx context.Context, channel string, e *Event) error
	Now       func() time.Time

	sent sentOnes
}

// Shown is what whoever holds a link may see.
type Shown struct {
	ID      string // of the notification; empty: a test
	Trial   string // the channel that is tested
	Service string
	Subject continuity.Text
	Text    continuity.Text
	Urgent  bool
	Since   time.Time
	Person  string // whom the link was sent to; empty: whoever opens it says so
	By      string // who acknowledged; empty: nobody has yet
	At      time.Time
	Done    bool // it is acknowledged
}

// errNoLink is the one answer to tokens that are wrong, unknown or over.
func errNoLink() error { return continuity.E(continuity.CodeNotFound, nil, "kind", KindLink) }

// Look shows what a token is for. It changes nothing.
func (a *Acks) Look(ctx context.Context, token string) (Shown, error) {
	link, err := a.token(ctx, token)
	if err != nil {
		return Shown{}, err
	}
	if link.Trial != "" {
		return a.trial(ctx, link, false)
	}
	n, _, err := a.notification(ctx, link.Notification)
	if err != nil {
		return Shown{}, hidden(err)
	}
	return a.shown(link, &n)
}

// Acknowledge says for whoever holds a token that they have seen it; by is who they
// say they are, where the token was sent to nobody who is known. What is
// acknowledged already stays as it is.
func (a *Acks) Acknowledge(ctx context.Context, token, by string) (Shown, error) {
	link, err := a.token(ctx, token)
	if err != nil {
		return Shown{}, err
	}
	if link.Trial != "" {
		return a.trial(ctx, link, true)
	}
	n, err := a.follow(ctx, link, link.by(by, "link"))
	if err != nil {
		return Shown{}, hidden(err)
	}
	return a.shown(link, &n)
}

// follow acknowledges what a link is for.
func (a *Acks) follow(ctx context.Context, link Link, by continuity.Actor) (continuity.Notification, error) {
	n, err := a.acknowledge(ctx, by, link.Notification)
	if err != nil || link.Delivery == "" {
		return n, err
	}
	o, err := a.Store.Get(ctx, continuity.KindDelivery, link.Delivery)
	var d continuity.Delivery
	if err == nil {
		err = json.Unmarshal(o.Body, &d)
	}
	for _, id := range d.With {
		if err == nil {
			_, err = a.acknowledge(ctx, by, id)
			err = known(err)
		}
	}
	return n, known(err)
}

// by is who acknowledges with a link.
func (l Link) by(said, via string) continuity.Actor {
	who := l.Person
	if who == "" {
		who = strings.Join(strings.Fields(cutText(said, mostBy)), " ")
	}
	if who == "" {
		who = via
	}
	return continuity.Actor{Kind: "person", ID: who, Via: via}
}

// acknowledge returns the notification as it is then; one that is over stays as it
// was, and so does what is no page: others are still to be told of it. Also becomes
// true with it.
func (a *Acks) acknowledge(ctx context.Context, by continuity.Actor, id string, also ...continuity.Change) (continuity.Notification, error) {
	var last error
	for range ackTries {
		n, version, err := a.notification(ctx, id)
		if err != nil || n.Over() || n.Urgency != continuity.UrgencyPage {
			return n, err
		}
		now := a.Now().UTC()
		n.State, n.Since, n.Ended = continuity.NotifyAcknowledged, now, now
		n.AckBy, n.AckAt = &by, now
		if n.Shown, err = shownAt(ctx, a.Store, n.Exercise, now); err != nil {
			return n, err
		}
		body, err := json.Marshal(n)
		if err != nil {
			return n, err
		}
		_, last = a.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: append([]continuity.Change{{
			Kind: continuity.KindNotification, ID: n.ID, Service: n.Service, Version: version, Body: body, Action: "notification.acknowledged",
		}}, also...)})
		if continuity.CodeOf(last) != continuity.CodeVersion {
			return n, last
		}
	}
	return continuity.Notification{}, last
}

// trial shows the test of a channel that a link is for, and notes that it was read.
func (a *Acks) trial(ctx context.Context, link Link, read bool) (Shown, error) {
	channel, id, _ := strings.Cut(link.Trial, "/")
	var last error
	for range ackTries {
		o, err := a.Store.Get(ctx, continuity.KindChannel, channel)
		var s continuity.ChannelState
		if err == nil {
			err = json.Unmarshal(o.Body, &s)
		}
		if err != nil {
			return Shown{}, hidden(err)
		}
		if s.Test == nil || s.Test.ID != id || a.Now().Sub(s.Test.At) > trialFor {
			return Shown{}, errNoLink()
		}
		shown := Shown{Trial: channel, Since: s.Test.At, Person: link.Person, Done: s.Test.Read}
		if !read || s.Test.Read {
			return shown, nil
		}
		s.Test.Read, shown.Done = true, true
		body, err := json.Marshal(s)
		if err != nil {
			return Shown{}, err
		}
		_, last = a.Store.Commit(ctx, continuity.Batch{Actor: link.by("", "link"), Changes: []continuity.Change{{
			Kind: continuity.KindChannel, ID: channel, Version: o.Version, Body: body, Action: "channel.test-read",
		}}})
		if continuity.CodeOf(last) != continuity.CodeVersion {
			return shown, last
		}
	}
	return Shown{}, last
}

func (a *Acks) token(ctx context.Context, token string) (Link, error) {
	if !isToken(token, tokenLength) {
		return Link{}, errNoLink()
	}
	return a.link(ctx, tokenID(token))
}

func (a *Acks) link(ctx context.Context, id string) (l Link, err error) {
	o, err := a.Store.Get(ctx, KindLink, id)
	if err == nil {
		err = json.Unmarshal(o.Body, &l)
	}
	return l, hidden(err)
}

// hidden makes one answer of all that a holder of a wrong token could learn.
func hidden(err error) error {
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return errNoLink()
	}
	return err
}

func (a *Acks) notification(ctx context.Context, id string) (n continuity.Notification, version int64, err error) {
	o, err := a.Store.Get(ctx, continuity.KindNotification, id)
	if err == nil {
		err = json.Unmarshal(o.Body, &n)
	}
	return n, o.Version, err
}

// shown is what a holder sees: what may be acknowledged, and for a time who did.
func (a *Acks) shown(link Link, n *continuity.Notification) (Shown, error) {
	s := Shown{
		ID: n.ID, Service: n.Service, Subject: n.Subject, Text: n.Text, Urgent: n.Urgency == continuity.UrgencyPage, Since: n.At, Person: link.Person,
		Done: n.State == continuity.NotifyAcknowledged, At: n.AckAt,
	}
	if s.Subject == (continuity.Text{}) {
		s.Subject = link.Subject
	}
	if n.AckBy != nil {
		s.By = n.AckBy.ID
	}
	if n.Over() && !s.Done || s.Done && a.Now().Sub(n.AckAt) > shownFor {
		return Shown{}, errNoLink()
	}
	return s, nil
}

// Sweep forgets the links of what is over, as far as they show nothing any more.
func (a *Acks) Sweep(ctx context.Context, by continuity.Actor, lease *continuity.Lease) error {
	for cursor := ""; ; {
		page, next, err := a.Store.List(ctx, continuity.Query{Kind: KindLink, Cursor: cursor, Limit: 200})
		if err != nil {
			return err
		}
		var gone []continuity.Change
		for _, o := range page {
			over, err := a.over(ctx, &o)
			if err != nil {
				return err
			}
			if over {
				gone = append(gone, continuity.Change{Kind: KindLink, ID: o.ID, Version: o.Version, Action: "link.ended"})
			}
		}
		if len(gone) > 0 {
			if _, err := a.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: gone, Leader: lease}); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func (a *Acks) over(ctx context.Context, o *continuity.Object) (bool, error) {
	var l Link
	if err := json.Unmarshal(o.Body, &l); err != nil {
		return true, nil //nolint:nilerr // it opens nothing
	}
	age := a.Now().Sub(o.Updated)
	if l.Trial != "" {
		return age > trialFor, nil
	}
	n, _, err := a.notification(ctx, l.Notification)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return age > linksFor, nil
	}
	return n.Over() && a.Now().Sub(n.Ended) > shownFor, err
}

// cutText bounds what somebody wrote and takes control characters out of it.
func cutText(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
