package incident

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Losing is what a process loses while it is down, as its plan says.
type Losing struct {
	Process string
	Name    continuity.Text
	Rate    continuity.Money // in each Per; no currency: the plan says none
	Per     time.Duration
	Stages  []LossStage
	// Open is how much of a stretch of time lies in the hours of the service; nil: all.
	Open func(from, to time.Time) time.Duration
}

// LossStage is what an outage has cost after a time, at least.
type LossStage struct {
	After time.Duration
	Loss  continuity.Money // no currency: it is said in words alone
	Says  continuity.Text
}

// Loss is what an incident has cost.
type Loss struct {
	Incident  string        `json:"incident"`
	Since     time.Time     `json:"since"`
	Until     time.Time     `json:"until"`        // it works again, or now
	Down      float64       `json:"down_seconds"` // in all: it may have worked in between
	Running   bool          `json:"running"`      // it grows
	AtMost    bool          `json:"at_most"`      // only a part fails: it is no more than this
	Total     []Amount      `json:"total" nullable:"false"`
	Processes []ProcessLoss `json:"processes" nullable:"false"`
}

// ProcessLoss is what one process has lost.
type ProcessLoss struct {
	Process   string            `json:"process"`
	Name      continuity.Text   `json:"name,omitzero"`
	Counted   float64           `json:"counted_seconds"`      // of the outage, in the hours of the service
	Others    float64           `json:"others_seconds"`       // of the outage too, that count for other incidents
	CountedIn []string          `json:"counted_in,omitempty"` // these
	Lost      []Amount          `json:"lost" nullable:"false"`
	Says      []continuity.Text `json:"says,omitempty"` // what the plan says happens by then
}

// Amount is an exact decimal of a currency.
type Amount struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// LossOf is what an incident has cost those processes by a time. The rate runs all the
// time that counts; where a stage says that more was lost by then, that much was, and
// the rate runs on from there. What a process loses at a time counts for one of the
// incidents that hit it.
func LossOf(i *continuity.Incident, hit []Losing, others []Hitting, now time.Time) Loss {
	times, running := i.Times(now)
	l := Loss{
		Incident: i.ID, Since: i.Started, Until: times[len(times)-1].Until, Down: i.Lasted(now).Seconds(), Running: running, AtMost: i.Partial,
		Total: []Amount{}, Processes: []ProcessLoss{},
	}
	total := map[string]*big.Rat{}
	for n := range hit {
		p := &hit[n]
		left, in := times, []string(nil)
		for k := range others {
			o := &others[k]
			if !slices.Contains(o.Processes, p.Process) || !o.before(i) {
				continue
			}
			taken, _ := o.Times(now)
			if rest := without(left, taken); !slices.Equal(rest, left) {
				left, in = rest, append(in, o.ID)
			}
		}
		counted := p.counted(left)
		lost, says := p.after(counted)
		for currency, amount := range lost {
			addTo(total, currency, amount)
		}
		l.Processes = append(l.Processes, ProcessLoss{Process: p.Process, Name: p.Name, Counted: counted.Seconds(), Others: (p.counted(times) - counted).Seconds(), CountedIn: in, Lost: amounts(lost), Says: says})
	}
	l.Total = amounts(total)
	return l
}

// after is what was lost by a time, by currency.
func (p *Losing) after(d time.Duration) (lost map[string]*big.Rat, says []continuity.Text) {
	lost = map[string]*big.Rat{}
	stages := slices.Clone(p.Stages)
	slices.SortStableFunc(stages, func(a, b LossStage) int { return cmp.Compare(a.After, b.After) })
	if p.Rate.Currency != "" {
		lost[p.Rate.Currency] = new(big.Rat)
	}
	at := time.Duration(0)
	run := func(to time.Duration) {
		if p.Rate.Currency != "" && p.Per > 0 && to > at {
			part := big.NewRat(int64(to-at), int64(p.Per))
			addTo(lost, p.Rate.Currency, part.Mul(part, big.NewRat(p.Rate.Units, 1)))
		}
		at = max(at, to)
	}
	for _, s := range stages {
		if s.After > d {
			break
		}
		run(s.After)
		if s.Says != (continuity.Text{}) {
			says = append(says, s.Says)
		}
		if s.Loss.Currency == "" {
			continue
		}
		if least := big.NewRat(s.Loss.Units, 1); lost[s.Loss.Currency] == nil || lost[s.Loss.Currency].Cmp(least) < 0 {
			lost[s.Loss.Currency] = least
		}
	}
	run(d)
	return lost, says
}

func addTo(to map[string]*big.Rat, currency string, amount *big.Rat) {
	if to[currency] == nil {
		to[currency] = new(big.Rat)
	}
	to[currency].Add(to[currency], amount)
}

// amounts are rounded once, to a ten-thousandth.
func amounts(of map[string]*big.Rat) []Amount {
	all := []Amount{}
	for currency, units := range of {
		twice := new(big.Int).Mul(units.Num(), big.NewInt(2))
		twice.Add(twice, units.Denom())
		rounded := twice.Div(twice, new(big.Int).Mul(units.Denom(), big.NewInt(2)))
		text := continuity.Units(1<<63 - 1)
		if rounded.IsInt64() {
			text = continuity.Units(rounded.Int64())
		}
		all = append(all, Amount{text, currency})
	}
	slices.SortFunc(all, func(a, b Amount) int { return cmp.Compare(a.Currency, b.Currency) })
	return all
}
