package control

import (
	"context"
	"math"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/maintenance"
	"holdfast/internal/measure"
)

// figureLasts is how long a figure is not asked for again, and figureTime how long
// asking may take.
const (
	figureLasts = 5 * time.Second
	figureTime  = 2 * time.Second
)

// figuresNow tells what measures of plans are now.
type figuresNow struct {
	node *Node
	from measure.Querier

	mu   sync.Mutex
	last map[string]figure
}

type figure struct {
	at    time.Time
	value float64
	known bool
}

// readFigures reads the measures of plans for windows.
func (n *Node) readFigures() maintenance.Measured {
	return &figuresNow{node: n, from: n.measures.ForRules(), last: map[string]figure{}}
}

// Figure implements maintenance.Measured. Of several series the worst counts.
func (f *figuresNow) Figure(service, name string) (value float64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key, now := service+"/"+name, time.Now()
	last, asked := f.last[key]
	if !asked || now.Sub(last.at) >= figureLasts {
		last = figure{at: now}
		last.value, last.known = f.ask(service, name, now)
		f.last[key] = last
	}
	return last.value, last.known
}

func (f *figuresNow) ask(service, name string, now time.Time) (value float64, known bool) {
	p := f.node.planOf(service)
	if p == nil {
		return 0, false
	}
	m, ok := binding.Measures(p)[name]
	if !ok {
		return 0, false
	}
	ctx, done := context.WithTimeout(context.Background(), figureTime)
	defer done()
	for _, expr := range m.Exprs {
		found, err := f.from.Query(ctx, expr, now)
		if err != nil {
			return 0, false
		}
		for _, v := range found {
			if !math.IsNaN(v.Value) && (!known || v.Value > value) {
				value, known = v.Value, true
			}
		}
	}
	return value, known
}
