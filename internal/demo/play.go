package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo/customers"
	"holdfast/internal/demo/inbox"
)

// Show is how a story is told.
type Show struct {
	Out     io.Writer
	Color   bool
	Seed    uint64 // of what customers do; 0: a new one
	Rate    float64
	Lookups float64
	Keep    bool // the folder stays
}

// play is a story as it goes on.
type play struct {
	*World
	Show

	began   time.Time
	clients *customers.Clients
	ledger  *customers.Ledger
	run     string

	mu     sync.Mutex
	report Report
}

// Report is what came of a story.
type Report struct {
	Story     string          `json:"story"`
	Seed      uint64          `json:"seed"`
	Seconds   float64         `json:"seconds"`
	Customers customers.Tally `json:"customers"`
	Times     []Measured      `json:"times"`
	Promises  []Promise       `json:"promises"`
	Messages  map[string]int  `json:"messages"` // that arrived, by kind
	Told      map[string]int  `json:"notifications"`
	Folder    string          `json:"folder,omitempty"` // where everything is left
}

// Measured is a time that was measured.
type Measured struct {
	ID      string  `json:"id"`
	Seconds float64 `json:"seconds"`
}

// Promise is what was promised, and whether it was kept.
type Promise struct {
	ID   string `json:"id"`
	Kept bool   `json:"kept"`
	Have string `json:"have,omitempty"`
}

// Good reports whether every promise was kept.
func (r *Report) Good() bool {
	for _, p := range r.Promises {
		if !p.Kept {
			return false
		}
	}
	return len(r.Promises) > 0
}

func (p *play) t(id string, pairs ...any) string {
	args := catalogue.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return catalogue.Text(p.Lang, id, args)
}

func (p *play) paint(code, text string) string {
	if !p.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// say prints what happens now.
func (p *play) say(id string, pairs ...any) { p.line("1", p.t(id, pairs...)) }

func (p *play) line(code, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.Out, "%6.1f s  %s\n", time.Since(p.began).Seconds(), p.paint(code, text))
}

// measured keeps a time; promised keeps whether something was as it had to be.
func (p *play) measured(id string, from, to time.Time) time.Duration {
	took := to.Sub(from)
	p.report.Times = append(p.report.Times, Measured{id, took.Seconds()})
	return took
}

func (p *play) promised(id string, kept bool, have ...any) {
	p.report.Promises = append(p.report.Promises, Promise{id, kept, strings.TrimSpace(fmt.Sprint(have...))})
}

// patience is how long a story waits for anything.
const patience = 40 * time.Second

// until asks until something is so; what is what it waits for, for the error.
func (p *play) until(ctx context.Context, what string, so func(ctx context.Context) (bool, error)) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		ok, err := so(waiting)
		if ok && err == nil {
			return nil
		}
		if err != nil && waiting.Err() == nil {
			last = err
		}
		select {
		case <-waiting.Done():
			return errors.Join(fmt.Errorf("demo: %s: %w", what, waiting.Err()), last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// arrives waits for a message that came as nth or later.
func (p *play) arrives(ctx context.Context, what string, from int, wanted func(inbox.Item) bool) (inbox.Item, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	item, err := p.Inbox.Until(waiting, from, wanted)
	if err != nil {
		err = fmt.Errorf("demo: %s: %w", what, err)
	}
	return item, err
}

// begin starts a world, after its files were changed, and a story in it, and ends both.
func begin(ctx context.Context, story string, o Options, s Show, change func(w *World) error, tell func(ctx context.Context, p *play) error) (r *Report, err error) {
	w, err := New(o)
	if err != nil {
		return nil, err
	}
	if s.Seed == 0 {
		s.Seed = rand.Uint64() // #nosec G404 -- chance, not secrecy
	}
	p := &play{World: w, Show: s, began: time.Now(), run: "d" + strconv.FormatInt(time.Now().UnixMilli(), 36)}
	p.report = Report{Story: story, Seed: s.Seed, Messages: map[string]int{}}
	keep := true
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, p.t("demo.left", "folder", w.Folder))
		}
		err = errors.Join(err, w.Close(keep))
	}()
	if change != nil {
		if err := change(w); err != nil {
			return nil, err
		}
	}
	if err := w.Start(ctx); err != nil {
		return nil, err
	}
	if p.ledger, err = customers.NewLedger(filepath.Join(w.Folder, "customers.jsonl")); err != nil {
		return nil, err
	}
	p.began = time.Now()
	p.clients = customers.NewClients(w.CustomersURL(), p.began, customers.NewStream(p.run, s.Seed, 40, 500), p.ledger)
	if err := p.through(ctx, tell); err != nil {
		return nil, err
	}
	p.report.Seconds = time.Since(p.began).Seconds()
	if keep = s.Keep; keep {
		p.report.Folder = w.Folder
	}
	return &p.report, nil
}

// through tells the story while customers order, and judges it.
func (p *play) through(ctx context.Context, tell func(ctx context.Context, p *play) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ordering, stop := context.WithCancel(ctx)
	defer stop()
	traffic := make(chan struct{})
	go func() {
		defer close(traffic)
		if err := p.clients.Run(ordering, p.Rate, p.Lookups, p.Seed); err != nil {
			cancel(err)
		}
	}()
	listening, deaf := context.WithCancel(ctx)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		p.listen(listening)
	}()
	err := tell(ctx, p)
	stop()
	<-traffic
	if err == nil {
		err = p.until(ctx, "the relay has nothing left to deliver", func(ctx context.Context) (bool, error) {
			r, err := p.Route(ctx)
			return r.Counters.Pending == 0, err
		})
	}
	if err == nil {
		err = p.judge(ctx)
	}
	deaf()
	<-heard
	if why := context.Cause(ctx); why != nil && errors.Is(err, context.Canceled) {
		err = why
	}
	return errors.Join(err, p.ledger.Close())
}

// listen shows what arrives.
func (p *play) listen(ctx context.Context) {
	for n := 0; ; n++ {
		i, err := p.Inbox.Until(ctx, n, func(inbox.Item) bool { return true })
		if err != nil {
			return
		}
		text := strings.Join(strings.Fields(i.Text), " ")
		if i.Kind == inbox.Mail {
			text = i.Subject
		}
		if runes := []rune(text); len(runes) > 110 {
			text = string(runes[:109]) + "…"
		}
		p.line("36", "  "+p.t("demo.arrived."+i.Kind, "to", p.who(i.To), "text", text))
	}
}

// names of people by their numbers and addresses.
var names = map[string][2]string{
	"13800138001": {"Li Wei", "李伟"}, "13800138002": {"Zhang Min", "张敏"}, "13800138003": {"Chen Jie", "陈杰"},
	"13800138004": {"Wu Hao", "吴昊"}, "13800138005": {"Sun Lan", "孙岚"},
	"li.wei@shop.example": {"Li Wei", "李伟"}, "zhang.min@shop.example": {"Zhang Min", "张敏"}, "chen.jie@shop.example": {"Chen Jie", "陈杰"},
	"wu.hao@shop.example": {"Wu Hao", "吴昊"}, "sun.lan@shop.example": {"Sun Lan", "孙岚"},
}

func (p *play) who(at string) string {
	name, ok := names[at]
	switch {
	case !ok:
		return at
	case p.Lang == catalogue.Zh:
		return name[1]
	}
	return name[0]
}

// answering has people press the key when they are called; the others let it ring.
func (p *play) answering(ctx context.Context, numbers ...string) {
	p.Inbox.Taking(nil, func(call inbox.Item) {
		for _, n := range numbers {
			if n != call.To {
				continue
			}
			p.line("36", "  "+p.t("demo.presses", "to", p.who(call.To)))
			for range 5 { // the node may not yet know the call by its number
				if pause(ctx, time.Second) != nil || p.Press(ctx, call, "1") != nil {
					return
				}
			}
			return
		}
		p.line("36", "  "+p.t("demo.rings", "to", p.who(call.To)))
	})
}

// judge holds the customers' ledger against the shop's books, and what was told
// against what arrived.
func (p *play) judge(ctx context.Context) error {
	steps := p.ledger.Since(0)
	books, err := p.DB.Read(ctx, p.run)
	if err != nil {
		return fmt.Errorf("read the shop's database: %w", err)
	}
	states, err := p.clients.Receipts(ctx, steps)
	if err != nil {
		return err
	}
	p.report.Customers = customers.Count(steps, books)
	c := p.report.Customers
	p.promised("errors", c.Errors == 0, c.Errors, " ", strings.Join(c.ErrorExamples, "; "))
	p.promised("lost", c.Books.Lost == 0, c.Books.Lost)
	p.promised("doubled", c.Books.Doubled == 0, c.Books.Doubled)
	p.promised("reordered", c.Books.Reordered == 0, c.Books.Reordered)
	p.promised("books", c.Books.Clean(), strings.Join(c.Books.Examples, "; "))
	p.promised("receipts", states["delivered"] == c.Accepted, fmt.Sprint(states))

	for _, i := range p.Inbox.Items(0) {
		p.report.Messages[i.Kind]++
	}
	refused := p.Inbox.Refusals()
	p.promised("genuine", len(refused) == 0, refused)
	unmarked, often := p.Inbox.Doubled()
	p.promised("once", len(unmarked)+len(often) == 0, unmarked, often)
	node, err := p.Administrator()
	if err != nil {
		return err
	}
	var told struct {
		Asked  int            `json:"asked"`
		States map[string]int `json:"states"`
	}
	err = p.until(ctx, "every notification is over", func(ctx context.Context) (bool, error) {
		told.States = nil
		s, _, err := controlapi.Get[struct {
			Asked  int            `json:"asked"`
			States map[string]int `json:"states"`
		}](ctx, node, "/notification-states", nil)
		told = s
		return s.States["new"]+s.States["sending"]+s.States["waiting"] == 0, err
	})
	sum := 0
	for _, n := range told.States {
		sum += n
	}
	p.report.Told = told.States
	p.promised("accounted", err == nil && sum == told.Asked && told.States["failed"] == 0, fmt.Sprint(told.States))
	return ctx.Err()
}

// mode waits until the relay treats orders in a way.
func (p *play) mode(ctx context.Context, mode string) error {
	return p.until(ctx, "the relay's mode is "+mode, func(ctx context.Context) (bool, error) {
		r, err := p.Route(ctx)
		return string(r.Mode) == mode, err
	})
}

// drained waits until nothing waits at the relay.
func (p *play) drained(ctx context.Context) error {
	return p.until(ctx, "the relay has drained", func(ctx context.Context) (bool, error) {
		r, err := p.Route(ctx)
		return r.Mode == "pass" && r.Counters.Pending == 0, err
	})
}
