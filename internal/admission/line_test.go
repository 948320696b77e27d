package admission

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
)

// visitor is a client that keeps what it is given.
type visitor struct {
	address, agent, token string
	header                []continuity.Field
	trusted               bool
}

func (v *visitor) ask(g *Gate) Ticket {
	r := &Request{At: time.Now(), Remote: v.address, Path: "/", Trusted: v.trusted, Header: append([]continuity.Field{{Name: "User-Agent", Value: v.agent}}, v.header...)}
	if v.token != "" {
		r.Header = append(r.Header, continuity.Field{Name: "Cookie", Value: "a=b; " + cookiePrefix + "shop=" + v.token})
	}
	pass, no := g.Enter(r)
	t := pass.Ticket
	if no.Why == Waiting {
		t = no.Ticket
	}
	pass.Leave()
	if t.Token != "" {
		v.token = t.Token
	}
	return t
}

func visitors(n int) []*visitor {
	out := make([]*visitor, n)
	for i := range out {
		out[i] = &visitor{address: fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), agent: "browser"}
	}
	return out
}

func lineConf() *continuity.WaitingLine {
	return &continuity.WaitingLine{Shares: []float64{0.1, 0.5, 1}, Hold: time.Minute, Spread: 30 * time.Second, Errors: 0.01, Slow: 2,
		Exempt: []string{"/assets/**"}, Stays: time.Hour}
}

// standing is a gate with a line that the test moves.
type standing struct {
	*Gate
	now continuity.Admitting
}

func stand(conf *continuity.WaitingLine) *standing {
	s := &standing{}
	s.now.Line = &continuity.LineState{Since: time.Now(), Step: 1, Stepped: time.Now(), Healthy: 10 * time.Millisecond}
	s.Gate = New(Options{Route: &continuity.Route{ID: "shop", Line: conf}, Secret: []byte("secret"),
		Standing: func() continuity.Admitting { return s.now }})
	return s
}

func (s *standing) step(to int) {
	next := *s.now.Line
	next.Step, next.Stepped = to, time.Now()
	s.now.Line = &next
	time.Sleep(refreshEvery)
}

func TestLineLetsUsersInByShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stand(lineConf())
		time.Sleep(time.Minute) // the first batch has nobody who waits
		all := visitors(2000)
		in := func() (n int) {
			for _, v := range all {
				if v.ask(s.Gate).In {
					n++
				}
			}
			return n
		}
		first := in()
		if first < 150 || first > 250 {
			t.Errorf("%d of 2000 in, want about 10 %%", first)
		}
		if again := in(); again != first {
			t.Errorf("asking again changes it: %d, then %d", first, again)
		}
		for _, v := range all { // without the token it is no new chance
			had := v.token
			v.token = ""
			was := v.ask(s.Gate).In
			v.token = had
			if v.ask(s.Gate).In != was {
				t.Fatal("another chance without the token")
			}
		}
		s.step(2)
		time.Sleep(31 * time.Second)
		if n := in(); n < 900 || n > 1100 {
			t.Errorf("%d of 2000 in, want about half", n)
		}
		who := map[*visitor]bool{}
		for _, v := range all {
			who[v] = v.ask(s.Gate).In
		}
		s.step(0) // nobody new, but who is in stays in
		for v, was := range who {
			if v.ask(s.Gate).In != was {
				t.Fatalf("in: %v, after the step back: %v", was, !was)
			}
		}
		s.step(3)
		time.Sleep(31 * time.Second)
		if n := in(); n != 2000 {
			t.Errorf("%d of 2000 in at the end", n)
		}
	})
}

// Within a batch, who came first comes in first, evenly over the spread; a
// number never changes, and nobody's place becomes worse.
func TestLineAdmitsInTheOrderOfNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := lineConf()
		conf.Shares = []float64{0.01, 1}
		s := stand(conf)
		var waiting []*visitor
		numbers, ahead := map[*visitor]uint64{}, map[*visitor]uint64{}
		for _, v := range visitors(300) {
			if k := v.ask(s.Gate); !k.In && k.Batch == 2 {
				numbers[v], ahead[v] = k.Number, k.Ahead
				if k.Number != uint64(len(waiting)+1) || k.Expected <= 0 || k.Again < leastAgain {
					t.Fatalf("visitor %d: %+v", len(waiting), k)
				}
				waiting = append(waiting, v)
			}
		}
		if len(waiting) < 250 {
			t.Fatalf("only %d wait", len(waiting))
		}
		s.step(2)
		before := 0
		for range 30 {
			time.Sleep(time.Second)
			in, out := 0, false
			for _, v := range waiting {
				k := v.ask(s.Gate)
				if k.In {
					in++
					if out {
						t.Fatal("let in before one who came earlier")
					}
					continue
				}
				out = true
				if k.Number != numbers[v] || k.Ahead > ahead[v] {
					t.Fatalf("number %d became %d, %d ahead became %d", numbers[v], k.Number, ahead[v], k.Ahead)
				}
				ahead[v] = k.Ahead
			}
			if d := in - before; d > len(waiting)/20 {
				t.Errorf("%d at once of %d", d, len(waiting))
			}
			before = in
		}
		if before != len(waiting) {
			t.Errorf("%d of %d in after the spread", before, len(waiting))
		}
	})
}

func TestLineGroupsComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := lineConf()
		conf.GroupHeader = "X-Department"
		conf.Groups = []continuity.LineGroup{{Name: "cashiers", Values: []string{"till"}}, {Name: "office", Values: []string{"desk"}}}
		s := stand(conf)
		of := func(department string, trusted bool) *visitor {
			return &visitor{address: "10.0.0.1:1", agent: department, trusted: trusted, header: []continuity.Field{{Name: "X-Department", Value: department}}}
		}
		if k := of("till", true).ask(s.Gate); !k.In {
			t.Errorf("a cashier waits: %+v", k)
		}
		if k := of("desk", true).ask(s.Gate); k.In || k.Batch != 2 {
			t.Errorf("the office: %+v", k)
		}
		if k := of("till", false).ask(s.Gate); k.In || k.Batch < 3 {
			t.Errorf("who only says so: %+v", k)
		}
	})
}

func TestLineTokensCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stand(lineConf())
		for _, v := range visitors(50) {
			k := v.ask(s.Gate)
			if k.In {
				continue
			}
			good := v.token
			for i := range good {
				forged := good[:i] + string('A'+(good[i]-'A'+1)%26) + good[i+1:]
				if _, ok := s.line.signer.read(forged, time.Now()); ok && forged != good {
					t.Fatalf("forged at %d", i)
				}
			}
			other := newSigner([]byte("secret"), "other")
			if _, ok := other.read(good, time.Now()); ok {
				t.Fatal("good on another route")
			}
			time.Sleep(61 * time.Minute)
			if _, ok := s.line.signer.read(good, time.Now()); ok {
				t.Fatal("good for ever")
			}
			return
		}
	})
}

// After a restart numbers go on behind those that were given out.
func TestLineNumbersOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := lineConf()
		conf.Shares = []float64{0.01, 1}
		s := stand(conf)
		old := visitors(200)
		for _, v := range old {
			v.ask(s.Gate)
		}
		time.Sleep(10 * time.Second)
		now := s.now
		s = stand(conf)
		s.now = now
		time.Sleep(refreshEvery)
		late := &visitor{address: "11.0.0.1:1", agent: "browser"}
		if k := late.ask(s.Gate); k.Number != 0 || k.In {
			t.Fatalf("numbered before the others were heard: %+v", k)
		}
		highest := uint64(0)
		for _, v := range old {
			highest = max(highest, v.ask(s.Gate).Number)
		}
		time.Sleep(relearn + time.Second)
		if k := late.ask(s.Gate); !k.In && k.Number <= highest {
			t.Errorf("number %d, %d were given out", k.Number, highest)
		}
	})
}

func TestLineExemptsAssets(t *testing.T) {
	s := stand(lineConf())
	s.now.Line.Step = 0
	s.refresh()
	for path, want := range map[string]Reason{"/assets/logo.png": Admitted, "/orders": Waiting} {
		if _, no := s.Enter(&Request{At: time.Now(), Remote: someone, Path: path}); no.Why != want {
			t.Errorf("%s: %v", path, no.Why)
		}
	}
}

func TestStripToken(t *testing.T) {
	got := StripToken([]continuity.Field{
		{Name: "A", Value: "1"}, {Name: "cookie", Value: cookiePrefix + "shop=x"}, {Name: "Cookie", Value: "a=b; " + cookiePrefix + "shop=x;c=d"},
		{Name: "holdfast-line", Value: "x"}, {Name: "Cookie", Value: "kept=as it is"},
	})
	want := "[{A 1} {Cookie a=b; c=d} {Cookie kept=as it is}]"
	if s := fmt.Sprint(got); s != want {
		t.Errorf("%s, want %s", s, want)
	}
	if strings.Contains(fmt.Sprint(got), cookiePrefix) {
		t.Error("a token goes upstream")
	}
}

// The next batch comes only if the last one did well, for as long as stated.
func TestLineStepsOnlyWhenAllIsWell(t *testing.T) {
	for _, c := range []struct {
		name   string
		took   time.Duration
		bad    int // of a hundred
		quiet  bool
		down   bool
		want   Move
		why    Why
		before time.Duration // it comes after
	}{
		{"well", 12 * time.Millisecond, 0, false, false, Forward, WhyWell, time.Minute},
		{"errors", 12 * time.Millisecond, 5, false, false, Back, WhyErrors, 0},
		{"slow", 80 * time.Millisecond, 0, false, false, Back, WhySlow, 0},
		{"nobody came", 0, 0, true, false, Forward, WhyWell, 2 * time.Minute},
		{"no more yet", 12 * time.Millisecond, 0, false, false, Stay, WhyTold, time.Minute},
		{"down again", 12 * time.Millisecond, 50, false, true, Stay, WhyDown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stand(lineConf())
				if c.why == WhyTold {
					s.now.Line.Most = s.now.Line.Step
				}
				began := time.Now()
				for time.Since(began) < 3*time.Minute {
					if !c.quiet {
						for i := range 100 {
							s.line.seen.add(c.took, i < c.bad)
						}
					}
					time.Sleep(time.Second)
					move, why := s.line.Judge(time.Now(), s.now.Line, c.down)
					if move == Stay && !(c.want == Stay && time.Since(began) > 2*time.Minute) {
						continue
					}
					if move != c.want || why != c.why || time.Since(began) < c.before {
						t.Errorf("%v because of %q after %v", move, why, time.Since(began))
					}
					return
				}
				t.Error("nothing happened")
			})
		})
	}
}

func TestLineEndsWhenEverybodyIsInAndWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stand(lineConf())
		for moves := 0; ; {
			for range 50 {
				s.line.seen.add(10*time.Millisecond, false)
			}
			time.Sleep(time.Second)
			switch move, why := s.line.Judge(time.Now(), s.now.Line, false); move {
			case Forward:
				moves++
				s.step(s.now.Line.Step + 1)
			case Done:
				if moves != 2 || s.now.Line.Step != 3 {
					t.Errorf("done after %d moves at step %d", moves, s.now.Line.Step)
				}
				return
			case Back:
				t.Fatal(why)
			}
		}
	})
}

func TestAdaptiveFollowsTheUpstream(t *testing.T) {
	a := newAdaptive(&continuity.Adaptive{Least: 4, Most: 200, Start: 20})
	sees := func(n int, took time.Duration, bad int, busy bool) {
		for range n {
			peak := int64(1)
			if busy {
				peak = a.limit.Load()
			}
			a.judge(sample{n: 100, bad: bad, median: took}, peak)
		}
	}
	sees(10, 10*time.Millisecond, 0, false)
	if n := a.limit.Load(); n != 20 {
		t.Errorf("grows while nobody uses it: %d", n)
	}
	sees(30, 10*time.Millisecond, 0, true)
	high := a.limit.Load()
	if high < 100 {
		t.Errorf("does not grow: %d", high)
	}
	sees(5, 60*time.Millisecond, 0, true)
	if n := a.limit.Load(); n > high/4 {
		t.Errorf("slow answers: %d of %d", n, high)
	}
	sees(40, 10*time.Millisecond, 0, true)
	high = a.limit.Load()
	sees(5, 10*time.Millisecond, 50, true)
	if n := a.limit.Load(); n > high/2 {
		t.Errorf("errors: %d of %d", n, high)
	}
	sees(100, 30*time.Millisecond, 0, true) // it has become slower for good: few on their way take as long
	if n := a.limit.Load(); n < 50 {
		t.Errorf("stays low although the upstream is merely slower: %d", n)
	}
}
