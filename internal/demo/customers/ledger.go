package customers

import (
	"bufio"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
)

// Ledger is what the customers know: every request they made and the answer
// they got. It is also a file, for whoever wants to look into it afterwards.
type Ledger struct {
	mu    sync.Mutex
	steps []Step
	known map[string]int // order -> the last step acknowledged
	names []string       // of known
	file  *os.File
	lines *bufio.Writer
	err   error
}

func NewLedger(path string) (*Ledger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Ledger{known: map[string]int{}, file: file, lines: bufio.NewWriter(file)}, nil
}

func (l *Ledger) add(s Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, s)
	if s.Acknowledged() {
		if _, ok := l.known[s.Order]; !ok {
			l.names = append(l.names, s.Order)
		}
		l.known[s.Order] = s.N
	}
	line, err := json.Marshal(s)
	if err == nil {
		_, err = l.lines.Write(append(line, '\n'))
	}
	l.err = errors.Join(l.err, err)
}

// pick returns one of the last orders and what its customer was told of it.
func (l *Ledger) pick(rnd *rand.Rand) (order string, n int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.names) == 0 {
		return "", 0, false
	}
	last := min(len(l.names), 500)
	order = l.names[len(l.names)-1-rnd.IntN(last)]
	return order, l.known[order], true
}

func (l *Ledger) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.steps)
}

// Since returns a copy of the steps from the nth on.
func (l *Ledger) Since(n int) []Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Step(nil), l.steps[n:]...)
}

func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.lines.Flush(), l.file.Close())
}
