package notify

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// Message is what one delivery says, ready to be sent.
type Message struct {
	Key      string // of the delivery: the same at each attempt
	Repeat   bool   // it may have arrived before; the texts say so already
	Kind     string // of the address: mail, phone, wecom ...
	To       string // the address; a group or room of the channel's where it is empty
	Name     string // of the person, as mails show it
	Language string // en, zh
	Urgent   bool   // a page
	Subject  string
	Text     string // plain; lines end with \n
	Link     string // where it is acknowledged or where more is; empty: nowhere
	Reply    string // a token by which an answer is recognised; empty: none is wanted
	Thread   string // messages of one thread belong together

	Template *Template // the approved text, for providers that send no other
}

// Template is a text that a provider approved, and what fills it.
type Template struct {
	Code      string
	Sign      string            // the signature that a text message begins with
	Variables map[string]string // by the provider's names
	Order     []string          // their names in the provider's order
}

// Sent is what a provider said of a message that it took.
type Sent struct {
	ID       string // the provider's; for callbacks and inquiries
	Arrived  bool   // it is known that it got there
	Fraction int    // parts that it was split into; 0: it is not known
}

// Channel hands messages to one provider. It is used by several goroutines.
type Channel interface {
	// Send makes one attempt. An error is a *Failure.
	Send(ctx context.Context, m *Message) (Sent, error)
}

// Receiver is a Channel to which its provider speaks: answers, and what became
// of messages.
type Receiver interface {
	// Receive takes a request whose body is there. Nothing in it counts before its
	// signature does; an error is the answer 403.
	Receive(r *http.Request, body []byte) (Answer, []Event, error)
}

// Poller is a Channel whose answers have to be fetched.
type Poller interface {
	// Poll returns what is new since the last call; state is what the call before
	// returned, kept over restarts.
	Poll(ctx context.Context, state []byte) ([]Event, []byte, error)
}

// Reader is a Channel that can look whether a message arrived where it was sent
// to, for tests of the channel.
type Reader interface {
	// Read reports whether the message with that key is there.
	Read(ctx context.Context, key string) (bool, error)
}

// Adviser is a Channel that can look whether its messages will be believed, such
// as by the sender's records in the DNS.
type Adviser interface {
	Advise(ctx context.Context) ([]Advice, error)
}

// Advice is one thing that was looked at; Code and Args are of the catalogue.
type Advice struct {
	Level string // ok, warning, error
	Code  string
	Args  map[string]any
}

// Answer is what a provider is told.
type Answer struct {
	Status int // 0: 200
	Type   string
	Body   []byte
}

// Kinds of events.
const (
	EventReply        = "reply"        // a person answered
	EventArrived      = "arrived"      // the provider says that a message got there
	EventFailed       = "failed"       // or that it will not
	EventAcknowledged = "acknowledged" // a key was pressed, a button
)

// Event is what a provider told of a message or a person.
type Event struct {
	Kind  string
	ID    string // the provider's, as in Sent
	Token string // Message.Reply, where it was recognised
	From  string // the address
	Text  string // what a person wrote; bounded
	At    time.Time
	Code  string // of a failure
}

// Tools are what a channel works with.
type Tools struct {
	ID     string                                      // of the channel
	Client func(outgoing.Options) *http.Client         // reaches what the node's rules let in
	Guard  *outgoing.Guard                             // for those who dial by themselves
	Secret func(secret.Ref) (continuity.Secret, error) // fetched at each use
	Hook   string                                      // the address at which its provider reaches it; empty: it can't
	Now    func() time.Time
	Log    *slog.Logger
}

// Kind is one way to send.
type Kind struct {
	Name    string
	Serves  []string // the kinds of plans' channels that it can be; see plan.Channel
	Address string   // the kind of people's addresses that it sends to; empty: rooms only
	// Settings makes what the settings of a channel are decoded into: a pointer to a
	// struct with the tags of package yamldoc.
	Settings func() any
	// Open makes a channel. It connects to nothing yet.
	Open func(settings any, tools Tools) (Channel, error)

	Keys      bool // the provider takes the key: a second message of one key is none
	Templates bool // the provider sends approved texts only
	Answers   bool // people can answer
	// PerMinute is how many messages a channel takes, PerNumber what one address
	// takes of them within the time; 0: as the node says.
	PerMinute int
	PerNumber []Room
	Longest   int // characters of a text; 0: as many as one likes
}

// Room is how much fits into a time.
type Room struct {
	Count  int
	Within time.Duration
}
