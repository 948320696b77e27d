package inbox

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Kinds of items.
const (
	Mail    = "mail"
	Text    = "sms"
	Call    = "call"
	Webhook = "webhook"
)

// Item is one message that was taken.
type Item struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	To      string    `json:"to"`  // address, number, or the page's name
	Key     string    `json:"key"` // by which its sender would know it again
	Repeat  bool      `json:"repeat,omitempty"`
	Urgent  bool      `json:"urgent,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Text    string    `json:"text"`
	Link    string    `json:"link,omitempty"` // by which it is acknowledged
	Call    string    `json:"call,omitempty"` // the provider's number of it
}

// Refusal is one message that was not taken, as its real receiver would not have.
type Refusal struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	Why  string    `json:"why"`
}

// Inbox takes messages. Its fields are set before it is opened.
type Inbox struct {
	User, Password string            // of the mail server
	Account, Key   string            // at the provider of messages and calls
	Approved       map[string]string // the provider's texts by their codes, with ${name}
	Hooks          map[string]string // secrets of the pages, whsec_..., by their names
	Trust          string            // the file into which the mail server's certificate is put

	MailAddress string // host:port
	ProviderURL string
	HookURL     string // the page's name follows

	mu       sync.Mutex
	items    []Item
	refused  []Refusal
	asked    map[string][]time.Time // attempts by kind, whatever came of them
	closing  chan struct{}
	down     map[string]State // by kind, or page
	change   chan struct{}
	taking   func(Item) Fate
	number   int
	closers  []func()
	nextCall func(Item)
}

// Fate is what becomes of a message's answer.
type Fate int

// The fates.
const (
	Answered Fate = iota
	Cut           // taken, and the connection broke before the answer
	Lost          // the connection broke, and it was not taken
	Refused       // not taken, and said so
)

// Open starts all servers on this machine.
func (b *Inbox) Open() (err error) {
	b.asked, b.down = map[string][]time.Time{}, map[string]State{}
	b.change, b.closing = make(chan struct{}), make(chan struct{})
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	if err := b.openMail(); err != nil {
		return err
	}
	if b.ProviderURL, err = b.serve(http.HandlerFunc(b.provider)); err != nil {
		return err
	}
	hooks := http.NewServeMux()
	hooks.HandleFunc("POST /{page}", b.hook)
	b.HookURL, err = b.serve(hooks)
	return err
}

// Close ends all servers. What was taken stays.
func (b *Inbox) Close() {
	b.mu.Lock()
	closers := b.closers
	b.closers = nil
	if len(closers) > 0 {
		close(b.closing)
	}
	b.mu.Unlock()
	for _, end := range closers {
		end()
	}
}

func (b *Inbox) serve(handler http.Handler) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	b.runs(func() { _ = server.Serve(listener) }, func() { _ = server.Close() })
	return "http://" + listener.Addr().String(), nil
}

// runs has a server run until Close.
func (b *Inbox) runs(serve, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve()
	}()
	b.closers = append(b.closers, func() {
		end()
		<-done
	})
}

var errDown = errors.New("inbox: out of order")

// State is how a kind of receivers is.
type State int

// The states.
const (
	Up      State = iota
	Failing       // it answers that it can't
	Silent        // it takes connections and never answers
)

// Set puts a kind, or a page, into a state.
func (b *Inbox) Set(kind string, s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down[kind] = s
}

// Taking has each message's fate decided by a function, and each call that is taken
// told to another. Both may be nil.
func (b *Inbox) Taking(fate func(Item) Fate, call func(Item)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taking, b.nextCall = fate, call
}

// asks notes that somebody sends, and reports whether the kind is out of order. Where
// it is silent, that takes as long as whoever asks has patience.
func (b *Inbox) asks(ctx context.Context, kind string) (down bool) {
	b.mu.Lock()
	b.asked[kind] = append(b.asked[kind], time.Now())
	state := b.down[kind]
	b.mu.Unlock()
	if state == Silent {
		select {
		case <-ctx.Done():
		case <-b.closing:
		}
	}
	return state != Up
}

// take keeps an item, unless its fate is another one.
func (b *Inbox) take(i Item) Fate {
	b.mu.Lock()
	defer b.mu.Unlock()
	fate := Answered
	if b.taking != nil {
		fate = b.taking(i)
	}
	if fate == Refused || fate == Lost {
		return fate
	}
	i.At = time.Now()
	b.items = append(b.items, i)
	close(b.change)
	b.change = make(chan struct{})
	if i.Kind == Call && fate == Answered && b.nextCall != nil {
		go b.nextCall(i)
	}
	return fate
}

func (b *Inbox) refuse(kind, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, Refusal{time.Now(), kind, why})
}

// Items are all that were taken from the nth on.
func (b *Inbox) Items(from int) []Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items[min(from, len(b.items)):])
}

// Refusals are what was not taken.
func (b *Inbox) Refusals() []Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.refused)
}

// Asked is when there were attempts of a kind, whatever came of them.
func (b *Inbox) Asked(kind string) []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked[kind])
}

// Until waits for an item that was taken as nth or later and is wanted.
func (b *Inbox) Until(ctx context.Context, from int, wanted func(Item) bool) (Item, error) {
	for {
		b.mu.Lock()
		items, change := b.items, b.change
		b.mu.Unlock()
		for ; from < len(items); from++ {
			if wanted(items[from]) {
				return items[from], nil
			}
		}
		select {
		case <-ctx.Done():
			return Item{}, ctx.Err()
		case <-change:
		}
	}
}

// Doubled are the keys under which more than one message came that did not say that
// it is a repeat, or more than two came at all, of kinds whose receivers know no keys.
func (b *Inbox) Doubled() (unmarked, often []string) {
	count, plain := map[string]int{}, map[string]int{}
	for _, i := range b.Items(0) {
		if i.Kind == Webhook {
			continue
		}
		id := i.Kind + " " + i.Key
		count[id]++
		if !i.Repeat {
			plain[id]++
		}
		if plain[id] == 2 && !i.Repeat {
			unmarked = append(unmarked, id)
		}
		if count[id] == 3 {
			often = append(often, id)
		}
	}
	return unmarked, often
}

// mails is the mail server's side of an inbox.
var _ smtp.Backend = (*mails)(nil)
