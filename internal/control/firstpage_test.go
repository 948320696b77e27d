package control

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/notify"
	"holdfast/internal/notify/ntfy"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
)

// hanging is a server as a check sees it: it answers until the fault, and then never.
type hanging struct {
	timeout time.Duration

	mu    sync.Mutex
	looks []time.Time
	fault bool
}

func (h *hanging) Run(ctx context.Context) continuity.CheckResult {
	h.mu.Lock()
	at, fault := time.Now(), h.fault
	h.looks = append(h.looks, at)
	h.mu.Unlock()
	r := continuity.CheckResult{Check: "shop/web", Node: "control-1", At: at, State: continuity.CheckUp}
	if fault {
		select {
		case <-time.After(h.timeout):
			r.State, r.Reason = continuity.CheckDown, continuity.CheckReason{Code: "watch.timeout"}
		case <-ctx.Done():
			r.State = continuity.CheckUnknown
		}
	}
	r.Took = time.Since(at)
	return r
}

func (h *hanging) seen() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.looks)
}

// beeps notes when somebody's phone rang.
type beeps struct {
	mu  sync.Mutex
	got []time.Time
}

func (b *beeps) Send(_ context.Context, m *notify.Message) (notify.Sent, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Urgent {
		b.got = append(b.got, time.Now())
	}
	return notify.Sent{ID: "m"}, nil
}

func (b *beeps) all() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time{}, b.got...)
}

// TestTheFirstPageByTheDefaultsComesWithinAMinute has a server hang the moment after
// a look found it well, with a check that says nothing but where to look: the whole
// time-out passes at each look, and still the page goes out within 60 s.
func TestTheFirstPageByTheDefaultsComesWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := controlconfig.Default(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		c.Node = "control-1"
		c.Channels = []controlconfig.Channel{{ID: "phones", Kind: "ntfy", Settings: &ntfy.Settings{}}}
		n, err := New(Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		// No listener: time stands still while somebody waits for the network.
		for _, step := range n.engines() {
			if err := step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		defer stopped(t, n)
		phones := &beeps{}
		s := n.channels.senders["phones"]
		s.channel = phones
		n.channels.senders["phones"] = s

		texts := continuity.PlanTexts{
			Plan: strings.NewReplacer("trigger: {person: true}", "trigger: {check: web}", "{id: phones, kind: phone, standby: true}", "{id: phones, kind: messenger, standby: true}").Replace(checkedPlan),
			Tech: "schema: holdfast/plan-tech@1\nchecks:\n  - {id: web, http: https://shop.example/healthz}\n  - {id: backup, heartbeat: 1h}\n",
		}
		p, problems := plan.Parse(plan.Source{Name: "shop.yaml", Text: []byte(texts.Plan)}, &plan.Source{Name: "shop.tech.yaml", Text: []byte(texts.Tech)}, nil)
		if p == nil {
			t.Fatal(problems)
		}
		order := binding.Orders(p)[0]
		server := &hanging{timeout: order.Check.Timeout}
		n.checks.made[order.ID] = made{order.Judged(n.name).Fingerprint, server}
		n.background(n.leader.run)
		people := []continuity.Person{
			{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "li-wei-1"}}},
			{ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "zhang-min-1"}}},
		}
		if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: planbook.Whatever, Texts: texts}); err != nil {
			t.Fatal(err, mistake(err))
		}
		time.Sleep(90 * time.Second)
		for before := server.seen(); server.seen() == before; {
			time.Sleep(10 * time.Millisecond)
		}
		fault := time.Now() // a look has just found it well
		server.mu.Lock()
		server.fault = true
		server.mu.Unlock()
		if server.seen() < 3 || len(phones.all()) != 0 {
			t.Fatalf("%d looks, %d pages before the fault", server.seen(), len(phones.all()))
		}
		time.Sleep(75 * time.Second)
		synctest.Wait()
		pages := phones.all()
		if len(pages) == 0 {
			t.Fatal("nobody was paged")
		}
		took := pages[0].Sub(fault)
		t.Logf("looks every %s, for %s: the first page came %s after the fault", order.Check.Every, order.Check.Timeout, took)
		if took > time.Minute || took < order.Check.Every {
			t.Errorf("the first page came after %s", took)
		}
	})
}
