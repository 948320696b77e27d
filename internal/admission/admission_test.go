package admission

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
)

func gateOf(a continuity.Admission, change ...func(*Options)) *Gate {
	o := Options{Route: &continuity.Route{ID: "shop", Admission: &a}, Secret: []byte("secret")}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}

func from(address string, header ...continuity.Field) *Request {
	return &Request{At: time.Now(), Remote: address, Header: header, Path: "/"}
}

// ask enters and reports why not; whoever was admitted stays.
func ask(g *Gate, r *Request) Reason {
	_, no := g.Enter(r)
	return no.Why
}

func count(g *Gate, r func() *Request, n int) (admitted int) {
	for range n {
		pass, no := g.Enter(r())
		if no.Why == Admitted {
			admitted++
		}
		pass.Leave()
	}
	return admitted
}

const someone = "192.0.2.1:4000"

func someones() *Request { return from(someone) }

func TestRateLetsInWhatItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateOf(continuity.Admission{Rate: 100, Burst: 20})
		if n := count(g, someones, 1000); n != 20 {
			t.Errorf("%d at once, want the burst", n)
		}
		total := 0
		for range 1000 { // ten seconds, asked for ten times as often
			time.Sleep(10 * time.Millisecond)
			total += count(g, someones, 10)
		}
		if total < 990 || total > 1020 {
			t.Errorf("%d in ten seconds, want 1000", total)
		}
		_, no := g.Enter(someones())
		if no.Why != Rate || no.Wait <= 0 || no.Wait > 10*time.Millisecond {
			t.Errorf("refused with %+v", no)
		}
	})
}

// Whoever raises a rate, or lifts a low one, does not wait for what the low one
// would have waited for.
func TestRaisedRateHoldsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		standing := continuity.Admitting{Rate: 0.01}
		g := gateOf(continuity.Admission{Rate: 100, Burst: 20}, func(o *Options) {
			o.Standing = func() continuity.Admitting { return standing }
		})
		if n := count(g, someones, 100); n != 1 {
			t.Errorf("%d at the low rate", n)
		}
		standing.Rate = 0
		time.Sleep(2 * refreshEvery)
		if n := count(g, someones, 100); n != 20 {
			t.Errorf("%d at the raised rate, want the burst", n)
		}
	})
}

func TestConcurrencyIsGivenBack(t *testing.T) {
	g := gateOf(continuity.Admission{Concurrency: 3})
	var passes []Pass
	for range 3 {
		pass, no := g.Enter(someones())
		if no.Why != Admitted {
			t.Fatal(no)
		}
		passes = append(passes, pass)
	}
	if why := ask(g, someones()); why != Concurrency {
		t.Errorf("a fourth: %v", why)
	}
	passes[1].Leave()
	passes[1].Leave() // once is enough
	if why := ask(g, someones()); why != Admitted {
		t.Error(why)
	}
	if why := ask(g, someones()); why != Concurrency {
		t.Error(why)
	}
	if i := g.Info(); i.OnWay != 3 || i.Admitted != 4 || i.Refused[Concurrency] != 2 || !i.Shedding {
		t.Errorf("%+v", i)
	}
}

func TestLowClassesAreShedFirst(t *testing.T) {
	g := gateOf(continuity.Admission{Concurrency: 10,
		Classes: continuity.AdmissionClasses{Header: "X-Class", Order: []string{"checkout", "normal", "crawler"}, Otherwise: "normal"}})
	of := func(class string) *Request {
		r := from("10.0.0.1:1", continuity.Field{Name: "x-class", Value: class})
		r.Trusted = true
		return r
	}
	enter := func(class string) (n int) {
		for ask(g, of(class)) == Admitted {
			n++
		}
		return n
	}
	if n := enter("crawler"); n != 5 {
		t.Errorf("%d crawlers, want half of all", n)
	}
	if n := enter(""); n != 2 {
		t.Errorf("%d of no class after them, want as many as normal ones: 7 in all", n)
	}
	if n := enter("checkout"); n != 3 {
		t.Errorf("%d checkouts after them, want the rest", n)
	}
	// Who is no proxy can name what it likes.
	h := gateOf(g.conf)
	for range 7 {
		if why := ask(h, from(someone, continuity.Field{Name: "X-Class", Value: "checkout"})); why != Admitted {
			t.Fatal(why)
		}
	}
	if why := ask(h, from(someone, continuity.Field{Name: "X-Class", Value: "checkout"})); why != Concurrency {
		t.Errorf("a stranger's class was believed: %v", why)
	}
}

func TestClientsAreToldApart(t *testing.T) {
	g := gateOf(continuity.Admission{Client: continuity.ClientLimits{Concurrency: 1}})
	for _, c := range []struct {
		name string
		r    *Request
		want Reason
	}{
		{"first", from("192.0.2.1:1"), Admitted},
		{"another port", from("192.0.2.1:2"), ClientConcurrency},
		{"as IPv6 writes IPv4", from("[::ffff:192.0.2.1]:2"), ClientConcurrency},
		{"another IPv4", from("192.0.2.2:1"), Admitted},
		{"IPv6", from("[2001:db8:1:2::1]:1"), Admitted},
		{"same /64", from("[2001:db8:1:2:ffff::9]:1"), ClientConcurrency},
		{"another /64", from("[2001:db8:1:3::1]:1"), Admitted},
		{"no address", from("pipe"), Admitted},
		{"no address again", from("pipe"), Admitted},
	} {
		if why := ask(g, c.r); why != c.want {
			t.Errorf("%s: %v, want %v", c.name, why, c.want)
		}
	}
}

func TestClientsRateAndPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateOf(continuity.Admission{Client: continuity.ClientLimits{Rate: 2, Burst: 3}})
		if n := count(g, someones, 10); n != 3 {
			t.Errorf("%d at once, want 3", n)
		}
		_, no := g.Enter(someones())
		if !no.Why.Client() || no.Wait != 500*time.Millisecond {
			t.Errorf("refused with %+v", no)
		}
		if why := ask(g, from("192.0.2.99:1")); why != Admitted {
			t.Errorf("another client pays for it: %v", why)
		}
		time.Sleep(no.Wait)
		if n := count(g, someones, 10); n != 1 {
			t.Errorf("%d after the wait, want 1", n)
		}
	})
}

// However many addresses come, a bounded number is remembered, and never is one
// forgotten that has something on its way.
func TestAddressesAreBounded(t *testing.T) {
	const most = 320
	g := gateOf(continuity.Admission{Client: continuity.ClientLimits{Concurrency: 1, Addresses: most}})
	stays, no := g.Enter(from("192.0.2.1:1"))
	if no.Why != Admitted {
		t.Fatal(no)
	}
	for n := range 20_000 {
		pass, no := g.Enter(from(fmt.Sprintf("10.%d.%d.%d:1", n>>16, n>>8&255, n&255)))
		if no.Why != Admitted {
			t.Fatal(n, no)
		}
		pass.Leave()
	}
	if n := g.Info().Addresses; n > most {
		t.Errorf("%d addresses remembered, want at most %d", n, most)
	}
	if why := ask(g, from("192.0.2.1:1")); why != ClientConcurrency {
		t.Errorf("forgotten while on its way: %v", why)
	}
	stays.Leave()
	// All at once: who finds no room is not bounded by itself, and breaks nothing.
	var all []Pass
	for n := range 2 * most {
		pass, no := g.Enter(from(fmt.Sprintf("11.0.%d.%d:1", n>>8, n&255)))
		if no.Why != Admitted {
			t.Fatal(n, no)
		}
		all = append(all, pass)
	}
	for _, p := range all {
		p.Leave()
	}
	if i := g.Info(); i.OnWay != 0 || i.Addresses > most {
		t.Errorf("%+v", i)
	}
}

func TestGateUnderRace(t *testing.T) {
	g := gateOf(continuity.Admission{Rate: 1e6, Burst: 1e6, Concurrency: 8, Adaptive: &continuity.Adaptive{},
		Client: continuity.ClientLimits{Rate: 1e6, Burst: 1e6, Concurrency: 4, Addresses: 32}})
	var all sync.WaitGroup
	for w := range 8 {
		rng := rand.New(rand.NewPCG(1, uint64(w)))
		all.Go(func() {
			for range 2000 {
				pass, no := g.Enter(from(fmt.Sprintf("10.0.0.%d:1", rng.IntN(100))))
				if no.Why == Admitted {
					if n := g.onWay.Load(); n > 16 { // 8, and who is being refused
						t.Errorf("%d on their way", n)
					}
					pass.Ended(time.Now(), time.Millisecond, rng.IntN(50) == 0)
				}
				pass.Leave()
			}
		})
	}
	all.Wait()
	if i := g.Info(); i.OnWay != 0 {
		t.Errorf("%+v", i)
	}
	for i := range g.clients.shards {
		for _, c := range g.clients.shards[i].slots {
			if c.onWay != 0 {
				t.Errorf("left behind: %+v", c)
			}
		}
	}
}

// Rule 6.1: live requests stay below what the capacity leaves them, in every
// second, whatever the burst that a stated rate would allow.
func TestRule6_1_LiveStaysBelowCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := 100.0
		g := gateOf(continuity.Admission{Rate: 1000, Burst: 1000}, func(o *Options) { o.Capacity = func() float64 { return room } })
		var times []time.Time
		for range 10_000 {
			time.Sleep(time.Millisecond)
			if count(g, someones, 2) > 0 {
				times = append(times, time.Now())
			}
			if len(times) == 400 {
				room = 90 // replay begins
			}
		}
		for i, first := 0, 0; i < len(times); i++ {
			for times[i].Sub(times[first]) >= time.Second {
				first++
			}
			if n := i - first + 1; n > 100 {
				t.Fatalf("%d within a second", n)
			}
		}
		if n := len(times); n < 800 {
			t.Errorf("only %d in ten seconds", n)
		}
		if _, no := g.Enter(someones()); no.Why != Capacity {
			t.Errorf("refused by %v", no.Why)
		}
	})
}

// What is kept while intake is hold takes nothing of the upstream.
func TestHoldingTakesNoCapacity(t *testing.T) {
	g := gateOf(continuity.Admission{Concurrency: 1, Client: continuity.ClientLimits{Concurrency: 5}},
		func(o *Options) {
			o.Standing = func() continuity.Admitting { return continuity.Admitting{Holding: true} }
		})
	kept := func() *Request { r := someones(); r.Kept = true; return r }
	for range 5 {
		if why := ask(g, kept()); why != Admitted {
			t.Fatal(why)
		}
	}
	if why := ask(g, kept()); why != ClientConcurrency {
		t.Errorf("a client's own limit is forgotten: %v", why)
	}
	if why := ask(g, from("192.0.2.9:1")); why != Admitted {
		t.Error(why)
	}
	if why := ask(g, from("192.0.2.10:1")); why != Concurrency {
		t.Errorf("a read takes as much as ever: %v", why)
	}
}

func TestStandingSettingsLowerTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := continuity.Admitting{}
		g := gateOf(continuity.Admission{Rate: 100, Concurrency: 10}, func(o *Options) { o.Standing = func() continuity.Admitting { return now } })
		for _, c := range []struct {
			set         continuity.Admitting
			rate        float64
			by          Reason
			concurrency int64
		}{
			{continuity.Admitting{}, 100, Rate, 10},
			{continuity.Admitting{Rate: 5, Concurrency: 20}, 5, Set, 10},
			{continuity.Admitting{Rate: 500, Concurrency: 2}, 100, Rate, 2},
			{continuity.Admitting{}, 100, Rate, 10},
		} {
			now = c.set
			time.Sleep(refreshEvery)
			if i := g.Info(); i.Rate != c.rate || i.RateBy != c.by || i.Concurrency != c.concurrency {
				t.Errorf("%+v gives %v by %v, %d", c.set, i.Rate, i.RateBy, i.Concurrency)
			}
		}
	})
}

func TestEnteringAllocatesNothing(t *testing.T) {
	g := gateOf(continuity.Admission{Rate: 1e9, Concurrency: 100, Adaptive: &continuity.Adaptive{}, Client: continuity.ClientLimits{Rate: 1e9}})
	r := someones()
	if n := testing.AllocsPerRun(1000, func() {
		pass, _ := g.Enter(r)
		pass.Ended(r.At, time.Millisecond, false)
		pass.Leave()
	}); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	g := gateOf(continuity.Admission{Rate: 1e9, Concurrency: 100, Adaptive: &continuity.Adaptive{}, Client: continuity.ClientLimits{Rate: 1e9}})
	r := someones()
	b.ReportAllocs()
	for b.Loop() {
		pass, _ := g.Enter(r)
		pass.Ended(r.At, time.Millisecond, false)
		pass.Leave()
	}
}
