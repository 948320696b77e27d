package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
)

// ledger is what the customers know: every request they made and the answer
// they got. It is also a file, for whoever wants to look into it afterwards.
type ledger struct {
	mu    sync.Mutex
	steps []step
	known map[string]int // order -> the last step acknowledged
	names []string       // of known
	file  *os.File
	lines *bufio.Writer
	err   error
}

func newLedger(path string) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &ledger{known: map[string]int{}, file: file, lines: bufio.NewWriter(file)}, nil
}

func (l *ledger) add(s step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, s)
	if s.acknowledged() {
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
func (l *ledger) pick(rnd *rand.Rand) (order string, n int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.names) == 0 {
		return "", 0, false
	}
	last := min(len(l.names), 500)
	order = l.names[len(l.names)-1-rnd.IntN(last)]
	return order, l.known[order], true
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.steps)
}

// since returns a copy of the steps from the nth on.
func (l *ledger) since(n int) []step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]step(nil), l.steps[n:]...)
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, l.lines.Flush(), l.file.Close())
}
