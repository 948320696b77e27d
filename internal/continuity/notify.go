package continuity

import (
	"time"
)

// Kinds of objects of notifications.
const (
	KindNotification = "notification"
	KindDelivery     = "delivery"
	KindSilence      = "silence"
	KindGroup        = "group"
	KindOverride     = "override"
	KindChannel      = "channel"
)

// How urgent a notification is.
const (
	UrgencyPage   = "page"   // somebody has to acknowledge it, at any hour
	UrgencyNotice = "notice" // it is to be read
	UrgencyInfo   = "info"   // it may wait for the hours of quiet to end
)

// States of a notification. Each ends in one of the last seven.
const (
	NotifyNew          = "new"          // written by who wants somebody told; not routed yet
	NotifySending      = "sending"      // on its way
	NotifyWaiting      = "waiting"      // delivered; nobody has acknowledged it yet
	NotifyDelivered    = "delivered"    // to all whom it is for
	NotifyAcknowledged = "acknowledged" // by a person
	NotifyFailed       = "failed"       // and escalated: who was told in their place says Escalated
	NotifySilenced     = "silenced"     // nobody was to be told; By names what said so
	NotifyGrouped      = "grouped"      // told with another; By names it
	NotifyRepeated     = "repeated"     // the same was told already; By names it
	NotifyCancelled    = "cancelled"    // what it was about was over first
)

// Kinds of recipients.
const (
	ToPerson   = "person"
	ToRole     = "role"     // of the service's plan; whoever leads it now
	ToDeputies = "deputies" // the rest of a role
	ToTeam     = "team"
	ToAudience = "audience"
	ToGroup    = "group"
	ToAddress  = "address" // of nobody who is known: ID is the channel
	ToTold     = "told"    // whoever was told of what it is about; ID: since when, or nothing. Audiences are told as such, by Of
)

// Recipient is who is to be told.
type Recipient struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Address string `json:"address,omitempty"` // with ToAddress
	Of      string `json:"of,omitempty"`      // with ToTold: only those who were told as this audience
}

// Notification is what somebody is to be told. Who wants it writes it in one
// transaction with what it is about; package notify does the rest.
type Notification struct {
	ID      string    `json:"id"` // below the id of what it is about, where that has one
	Service string    `json:"service,omitempty"`
	About   string    `json:"about"` // KIND/ID of an object: incident/orders-2026-7
	Urgency string    `json:"urgency"`
	Group   string    `json:"group,omitempty"` // those of one group are told together
	Same    string    `json:"same,omitempty"`  // what says the same again within Repeats is not told
	At      time.Time `json:"at"`

	To       []Recipient `json:"to"`
	Channels []string    `json:"channels,omitempty"` // of the plan, the first goes first; none: those of the audience or person
	Doubled  bool        `json:"doubled,omitempty"`  // by text message or mail, too
	Rank     int         `json:"rank,omitempty"`     // how bad it is: of several that are told together the worst speaks
	Touches  []string    `json:"touches,omitempty"`  // checks and components that it concerns: a silence may name them
	Ends     bool        `json:"ends,omitempty"`     // what it is about is over: what was not told of that before is told no more
	Instead  bool        `json:"instead,omitempty"`  // what the same audience was to be told of it before, and was not, is told no more: they hear this in its place, and count as told

	Template string            `json:"template,omitempty"` // of the plan, filled with Vars
	Vars     map[string]string `json:"vars,omitempty"`     // a name with "@en" or "@zh" is for that language
	Subject  Text              `json:"subject,omitzero"`
	Text     Text              `json:"text,omitzero"`

	AckWithin time.Duration `json:"ack_within,omitempty"` // of a page, before the next of Escalate is told; 0: 5 min
	Escalate  []Recipient   `json:"escalate,omitempty"`   // in turn

	Exercise string    `json:"exercise,omitempty"` // that it is part of: what is sent says so
	Shown    time.Time `json:"shown_at,omitzero"`  // what the exercise's clock showed

	State     string    `json:"state"`
	By        string    `json:"by,omitempty"`
	Step      int       `json:"step,omitempty"` // how many of Escalate were told
	Since     time.Time `json:"since,omitzero"` // when it got its state
	AckBy     *Actor    `json:"ack_by,omitempty"`
	AckAt     time.Time `json:"ack_at,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Deliver   int       `json:"deliveries,omitempty"` // how many were made
	Escalated []string  `json:"escalated,omitempty"`  // who was told in the end, where it failed
	Unreached []string  `json:"unreached,omitempty"`  // people whose turn it was, and no message could be sent to them
	Failure   string    `json:"failure,omitempty"`    // a code: why it failed
	AckDue    time.Time `json:"ack_due,omitzero"`     // from then on the next of Escalate is told
	Told      time.Time `json:"told,omitzero"`        // when it was sent out last
	Grouped   int       `json:"grouped,omitempty"`    // how many others it tells
	Again     int       `json:"again,omitempty"`      // how many of those it had told when it was sent out last
}

// Over reports whether nothing more is done about it.
func (n *Notification) Over() bool { return !n.Ended.IsZero() }

// FailUnacknowledged is why a page failed that arrived, and nobody answered.
const FailUnacknowledged = "unacknowledged"

// Untold reports whether it failed because it reached nobody: who got it and did not
// answer was told.
func (n *Notification) Untold() bool {
	return n.State == NotifyFailed && n.Failure != "" && n.Failure != FailUnacknowledged
}

// Tell is the change that has a notification told.
func Tell(n Notification) Change {
	n.State, n.Since = NotifyNew, n.At
	return Set(KindNotification, n.ID, n.Service, VersionNew, "notification.asked", "", n)
}

// States of a delivery.
const (
	DeliveryDue       = "due"
	DeliveryHeld      = "held"    // until the hours of quiet end, the channel has room, or By, which tells it too, is through
	DeliverySending   = "sending" // an attempt is under way, or was when its node died
	DeliveryDelivered = "delivered"
	DeliveryFailed    = "failed"  // for good; Next names the delivery that took its place
	DeliveryDropped   = "dropped" // no longer wanted; By says why
)

// Delivery is one message on its way to one address over one channel.
type Delivery struct {
	ID           string      `json:"id"` // NOTIFICATION.d-N
	Notification string      `json:"notification"`
	Service      string      `json:"service,omitempty"`
	Person       string      `json:"person,omitempty"`
	Channel      string      `json:"channel"`           // of the plan or the node
	Sender       string      `json:"sender"`            // the node's channel that sends
	Address      string      `json:"address,omitempty"` // masked: people's addresses stand with the people
	Number       string      `json:"number,omitempty"`  // a keyed hash of the address, by which its bounds are kept
	Language     string      `json:"language"`
	State        string      `json:"state"`
	Due          time.Time   `json:"due"`
	Attempts     int         `json:"attempts"`
	Repeat       bool        `json:"repeat,omitempty"`      // the attempt may be the second of one message
	Failure      string      `json:"failure,omitempty"`     // a code
	Provider     string      `json:"provider_id,omitempty"` // what the provider calls it
	With         []string    `json:"with,omitempty"`        // further notifications that it tells
	Next         string      `json:"next,omitempty"`
	To           Recipient   `json:"to"`                // of the notification, that it is for
	Target       string      `json:"target"`            // whom of them: PERSON, or AUDIENCE/CHANNEL
	Step         int         `json:"step,omitempty"`    // 0: the first; else of Escalate
	Doubled      bool        `json:"doubled,omitempty"` // beside another one
	Rest         bool        `json:"rest,omitempty"`    // it tells what nothing else does: it goes on when its notification is over
	Tried        []time.Time `json:"tried,omitempty"`   // when attempts began, the last ones
	Sent         time.Time   `json:"sent,omitzero"`
	Confirmed    time.Time   `json:"confirmed,omitzero"` // the provider says that it arrived
	By           string      `json:"by,omitempty"`
	Back         bool        `json:"back,omitempty"` // it was delivered and came back, and that was seen to
	Exercise     string      `json:"exercise,omitempty"`
	Shown        time.Time   `json:"shown_at,omitzero"` // what the exercise's clock showed
}

// Over reports whether nothing more is done about it.
func (d *Delivery) Over() bool {
	return d.State == DeliveryDelivered || d.State == DeliveryFailed || d.State == DeliveryDropped
}

// Silence keeps notifications from being sent.
type Silence struct {
	ID      string    `json:"id"`
	Service string    `json:"service"`
	Match   []string  `json:"match,omitempty"` // checks, components, warnings; none: all of the service
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	By      Actor     `json:"by"`
	Why     string    `json:"why"`
	Window  string    `json:"window,omitempty"` // that made it
}

// Group is a number of people who are told together, for a time or for good.
type Group struct {
	ID     string    `json:"id"`
	Name   Text      `json:"name"`
	People []string  `json:"people"`
	Until  time.Time `json:"until,omitzero"`
	About  string    `json:"about,omitempty"`
}

// Over reports whether a group for a time has ended.
func (g *Group) Over(at time.Time) bool { return !g.Until.IsZero() && !at.Before(g.Until) }

// Override puts somebody in the place of whoever a rota names.
type Override struct {
	ID     string    `json:"id"`
	Rota   string    `json:"rota"` // SERVICE/ROTA
	Person string    `json:"person"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Said   time.Time `json:"said"` // of several at a time the last one said holds
	By     Actor     `json:"by"`
	Why    string    `json:"why,omitempty"`
}

// Shift is a stretch of time in which one person is on call for a rota.
type Shift struct {
	Rota     string    `json:"rota"` // SERVICE/ROTA
	Person   string    `json:"person"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Override string    `json:"override,omitempty"` // by which it is them
	Instead  string    `json:"instead,omitempty"`  // whose turn it is, where it is another's
	Gone     []string  `json:"gone,omitempty"`     // whose turn it was, and who have left or are not known
}

// ChannelState is what is known of a node's channel.
type ChannelState struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	State    string    `json:"state"` // up, failing, unknown
	Since    time.Time `json:"since"`
	LastSent time.Time `json:"last_sent,omitzero"`
	Failure  string    `json:"failure,omitempty"`
	Said     string    `json:"said,omitempty"`   // the provider's own code of it
	Status   int       `json:"status,omitempty"` // of HTTP or SMTP
	Test     *Trial    `json:"test,omitempty"`   // the last
}

// Trial is one test of a channel or a tool.
type Trial struct {
	ID     string        `json:"id"`
	At     time.Time     `json:"at"`
	By     Actor         `json:"by"`
	Plan   string        `json:"plan,omitempty"` // SERVICE/CHANNEL that it was a test of
	State  string        `json:"state"`          // running, passed, failed
	Read   bool          `json:"read,omitempty"` // it was read back where it arrived
	Took   time.Duration `json:"took,omitempty"`
	Reason CheckReason   `json:"reason,omitzero"`
}
