package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sound says that every invariant holds, and returns the figures.
func sound(t *testing.T, s *store) books {
	t.Helper()
	found, err := s.examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found.Verdicts {
		if v.Violated != 0 {
			t.Errorf("%s is violated by %d: %v", v.Name, v.Violated, v.Examples)
		}
	}
	return found.Books
}

// hurt is how many orders violate the invariant of amounts; no other is violated.
func hurt(t *testing.T, s *store) int64 {
	t.Helper()
	found, err := s.examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var amounts int64
	for _, v := range found.Verdicts {
		if v.Name == "amounts" {
			amounts = v.Violated
		} else if v.Violated != 0 {
			t.Errorf("%s is violated by %d: %v", v.Name, v.Violated, v.Examples)
		}
	}
	return amounts
}

// of opens the same database for another release, to migrate or examine it.
func of(t *testing.T, o options, release string) *store {
	t.Helper()
	o.release = release
	s, err := openDatabase(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func moved(t *testing.T, s *store, how string, schema int, want bool) {
	t.Helper()
	m, err := s.migrate(t.Context(), how)
	if err != nil || m.Schema != schema || m.Moved != want {
		t.Fatalf("%+v, %v; want schema %d, changed %t", m, err, schema, want)
	}
}

// order has customers order for these totals; wrong is how many of them fractions make less.
func order(t *testing.T, url string, totals []int) (wrong int64) {
	t.Helper()
	for i, cents := range totals {
		body := fmt.Sprintf(`{"order_no":"M%03d","customer":"c001","sku":"sku-0001","qty":2,"total":"%d.%02d","currency":"CNY"}`, i, cents/100, cents%100)
		if status, answer := send(t, url, call{method: "POST", path: "/api/orders", body: body}); status != 201 {
			t.Fatal(status, answer)
		}
		if int(float64(cents)/100*100) != cents {
			wrong++
		}
	}
	return wrong
}

var totals = []int{113, 10000, 1999, 5, 201, 100, 11399, 250, 116, 123456789012}

func TestMigrationsOfReleases(t *testing.T) {
	for _, r := range releases[1:] {
		for name, o := range databases(t) {
			t.Run(r.name+" "+name, func(t *testing.T) {
				first, server := open(t, o)
				wrong := order(t, server.URL, totals)
				if wrong < 3 {
					t.Fatalf("only %d of these totals can go wrong", wrong)
				}
				send(t, server.URL, call{method: "DELETE", path: "/api/orders/M003"})
				send(t, server.URL, call{method: "PUT", path: "/api/orders/M001", body: `{"sku":"sku-0002","qty":7,"total":"007.50","currency":"CNY"}`})
				before := sound(t, first)

				next := of(t, o, r.name)
				moved(t, next, down, 1, false) // nothing to take back yet
				moved(t, next, up, 2, true)
				moved(t, next, up, 2, false)
				if r.name == "v2" {
					if n := hurt(t, next); n != wrong {
						t.Errorf("%d amounts were corrupted, want %d", n, wrong)
					}
				} else if after := sound(t, next); after.Hash != before.Hash || after.Orders != before.Orders || after.Sums["CNY"] != before.Sums["CNY"] {
					t.Errorf("it was %+v, it is %+v", before, after)
				}

				// The release before says that this is not its schema, and changes nothing.
				if status, body := send(t, server.URL, call{method: "GET", path: "/healthz"}); status != 503 || !strings.Contains(body, "wrong-schema") {
					t.Error(status, body)
				}
				if status, body := send(t, server.URL, call{method: "POST", path: "/api/orders", key: "k", body: orderBody(1)}); status != 503 || !strings.Contains(body, "wrong-schema") {
					t.Error(status, body)
				}
				if _, err := openStore(t.Context(), o); err == nil || !strings.Contains(err.Error(), "release v1 does not run on schema 2") {
					t.Error(err)
				}
				if _, err := first.migrate(t.Context(), up); err == nil || !strings.Contains(err.Error(), "migrate down --release "+r.name) {
					t.Error(err)
				}

				// This one runs, and what is ordered by it goes back with the rest.
				o := o
				o.release = r.name
				_, now := open(t, o)
				if status, body := send(t, now.URL, call{method: "POST", path: "/api/orders", body: orderBody(1)}); status != 201 {
					t.Error(status, body)
				}
				if status, body := send(t, now.URL, call{method: "GET", path: "/api/orders/M001"}); status != 200 || !strings.Contains(body, `"sku":"sku-0002","qty":7,"total":"7.50"`) {
					t.Error(status, body)
				}
				found, err := next.examine(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				moved(t, next, down, 1, true)
				back, err := first.examine(t.Context())
				if err != nil || back.Books.Hash != found.Books.Hash {
					t.Errorf("%+v became %+v, %v", found, back, err)
				}
				if r.name == "v2" {
					if n := hurt(t, first); n != wrong { // going back does not heal
						t.Errorf("%d amounts are corrupted, want %d", n, wrong)
					}
				} else {
					sound(t, first)
				}
				// The one before goes on where it stood, without a restart.
				if status, body := send(t, server.URL, call{method: "POST", path: "/api/orders", key: "k", body: orderBody(2)}); status != 201 {
					t.Error(status, body)
				}
				if status, body := send(t, now.URL, call{method: "DELETE", path: "/api/orders/N2"}); status != 503 || !strings.Contains(body, "wrong-schema") {
					t.Error(status, body)
				}
			})
		}
	}
}

func TestSeveralLinesAreNotTakenBack(t *testing.T) {
	for name, o := range databases(t) {
		t.Run(name, func(t *testing.T) {
			o.release = "v2.1"
			shop, server := open(t, o)
			order(t, server.URL, totals[:1])
			if _, err := shop.write.Exec(`INSERT INTO order_lines (order_no, line, sku, qty, amount_minor) VALUES ('M000', 2, 'sku-0002', 1, 1)`); err != nil {
				t.Fatal(err)
			}
			if _, err := shop.migrate(t.Context(), down); !errors.Is(err, errSeveralLines) {
				t.Error(err)
			}
			if m, err := shop.standing(t.Context(), shop.read); err != nil || m.Schema != 2 {
				t.Error(m, err)
			}
		})
	}
}

// TestRecounting: v2.0.1 is sound until it counts totals anew, v2.1 stays so.
func TestRecounting(t *testing.T) {
	for _, release := range []string{"v2.0.1", "v2.1"} {
		for name, o := range databases(t) {
			t.Run(release+" "+name, func(t *testing.T) {
				o.release = release
				shop, server := open(t, o)
				many := make([]int, 450) // several rounds
				for i := range many {
					many[i] = 100 + i
				}
				wrong := order(t, server.URL, many)
				before := sound(t, shop)
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					shop.recounting(ctx, 20*time.Millisecond)
				}()
				if release == "v2.0.1" {
					last := int64(0)
					for tick := time.NewTicker(20 * time.Millisecond); last != wrong; {
						<-tick.C
						if last = hurt(t, shop); t.Context().Err() != nil {
							break
						}
					}
				}
				stop()
				<-done
				if release == "v2.0.1" {
					return
				}
				if n, err := shop.recountAll(t.Context()); n != 0 || err != nil {
					t.Error(n, err)
				}
				if after := sound(t, shop); after.Hash != before.Hash {
					t.Errorf("%+v became %+v", before, after)
				}
			})
		}
	}
}

// TestOrdersWhileTheSchemaMoves has customers order and change by v1 and v2.1 while
// the schema goes up and down and totals are counted anew: each is answered by the
// release whose schema it is or refused, and nothing of it is lost.
func TestOrdersWhileTheSchemaMoves(t *testing.T) {
	for name, o := range databases(t) {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			first, one := open(t, o)
			moved(t, of(t, o, "v2.1"), up, 2, true)
			o.release = "v2.1"
			two, after := open(t, o)

			var (
				all            sync.WaitGroup
				stop           = make(chan struct{})
				taken, refused [2]atomic.Int64
			)
			for client := range 6 {
				all.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, uint64(client)))
					no := fmt.Sprintf("W%d", client)
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
						}
						cents := 100 + rnd.IntN(9000)
						body := fmt.Sprintf(`{"order_no":"%s-%d","customer":"c001","sku":"sku-0001","qty":1,"total":"%d.%02d","currency":"CNY"}`, no, n, cents/100, cents%100)
						for try := 0; ; try++ {
							which := (client + try) % 2
							c := call{method: "POST", path: "/api/orders", key: fmt.Sprint(no, "-", n), body: body}
							status, answer := send(t, []string{one.URL, after.URL}[which], c)
							if status == 201 {
								taken[which].Add(1)
								break
							}
							if status != 503 || !strings.Contains(answer, "wrong-schema") {
								t.Errorf("%s-%d: %d %s", no, n, status, answer)
								return
							}
							refused[which].Add(1)
						}
					}
				})
			}
			served := func(which int) { // until the release whose schema it is has answered once more
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for was := taken[which].Load(); taken[which].Load() == was && !t.Failed(); {
					<-tick.C
				}
			}
			for range 8 {
				moved(t, two, down, 1, true)
				served(0)
				sound(t, first)
				moved(t, two, up, 2, true)
				served(1)
				for range 3 {
					if n, err := two.recountAll(t.Context()); n != 0 || err != nil {
						t.Error("counted anew:", n, err)
					}
				}
				sound(t, two)
			}
			close(stop)
			all.Wait()
			found := sound(t, two)
			if sum := taken[0].Load() + taken[1].Load(); found.Orders != sum || refused[0].Load() == 0 || refused[1].Load() == 0 {
				t.Errorf("%d orders; taken %d by v1 and %d by v2.1, refused %d and %d", found.Orders,
					taken[0].Load(), taken[1].Load(), refused[0].Load(), refused[1].Load())
			}
		})
	}
}

func TestSubcommands(t *testing.T) {
	for name, o := range databases(t) {
		t.Run(name, func(t *testing.T) {
			_, server := open(t, o)
			order(t, server.URL, totals)
			where := []string{"--db", o.db, "--dsn", o.dsn}
			run := func(args ...string) (string, error) {
				var out, complaints bytes.Buffer
				if args[0] != "version" {
					args = append(args, where...)
				}
				err := Run(t.Context(), args, &out, &complaints)
				return out.String(), err
			}
			for _, c := range []struct {
				args string
				want string
				fail string
			}{
				{"version", "v1\n", ""},
				{"version --release v2.1", "v2.1\n", ""},
				{"version --release v2.1 --url " + server.URL, "v1\n", ""},
				{"version --release v9", "", "no release"},
				{"migrate status", "schema 1, made by v1; release v1 needs schema 1: fits\n", ""},
				{"migrate status --release v2", "schema 1, made by v1; release v2 needs schema 2: does not fit\n", "does not run on schema 1"},
				{"migrate sideways", "", "say up, down, to, status or schema"},
				{"migrate down", "", "nothing before it"},
				{"invariants", "ok        amounts", ""},
				{"migrate up --release v2", "changed just now", ""},
				{"migrate up --release v2", "nothing to do", ""},
				{"invariants", "VIOLATED  amounts", "an invariant is violated"},
				{"migrate schema", "2\n", ""},
				{"migrate to --release v2.0.1", "nothing to do", ""},
				{"migrate to --release v1", "schema 1, made by v1; release v1 needs schema 1: changed just now", ""},
				{"migrate to --release v1", "nothing to do", ""},
				{"migrate to --release v2", "changed just now", ""},
				{"migrate down --release v2", "schema 1, made by v1", ""},
				{"migrate schema", "1\n", ""},
				{"invariants --sql", "SELECT count(*) FROM", ""},
				{"pay", "", "unexpected argument"},
				{"serve now", "", "unexpected argument"},
				{"serve --release v2", "", "does not run on schema 1"},
			} {
				out, err := run(strings.Fields(c.args)...)
				if !strings.Contains(out, c.want) || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
					t.Errorf("%s: %q, %v; want %q, %q", c.args, out, err, c.want, c.fail)
				}
			}
			out, err := run("invariants", "--json")
			var found examined
			if jerr := json.Unmarshal([]byte(out), &found); jerr != nil || !errors.Is(err, errViolated) {
				t.Error(out, err, jerr)
			}
			if len(found.Verdicts) != len(invariants) || found.Verdicts[0].Violated < 3 || len(found.Verdicts[0].Examples) == 0 || found.Books.Orders != int64(len(totals)) {
				t.Errorf("%+v", found)
			}
		})
	}
}

// TestARunningShopCountsAnew: a process of v2.0.1 does on its own what corrupts.
func TestARunningShopCountsAnew(t *testing.T) {
	for name, o := range databases(t) {
		t.Run(name, func(t *testing.T) {
			o.release = "v2.0.1"
			p := start(t, o, "--release", "v2.0.1", "--recount", "50ms")
			order(t, p.url, []int{113})
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				<-tick.C
				status, body := send(t, p.url, call{method: "GET", path: "/api/orders/M000"})
				if status != http.StatusOK || t.Failed() {
					t.Fatal(status, body)
				}
				if strings.Contains(body, `"total":"1.12"`) {
					return
				}
			}
		})
	}
}
