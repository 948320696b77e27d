package reconcile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"holdfast/internal/continuity"
)

// Statement is one day's settlement file of a payment provider.
type Statement struct {
	Config continuity.Settlement
	Day    time.Time // its date counts
	File   io.Reader
}

// Window is the time whose deliveries the file covers: after From, up to To.
func (s *Statement) Window() Window {
	y, m, d := s.Day.Date()
	// In a zone with summer time a day may have 23 hours: the calendar reckons.
	hour, minute := int(s.Config.Cutoff/time.Hour), int(s.Config.Cutoff%time.Hour/time.Minute)
	return Window{
		From:  time.Date(y, m, d-1, hour, minute, 0, 0, s.Config.Zone),
		To:    time.Date(y, m, d, hour, minute, 0, 0, s.Config.Zone),
		Slack: s.Config.Slack,
	}
}

// Window is a span of time, From excluded; Slack is how far two clocks may be
// apart at its ends.
type Window struct {
	From, To time.Time
	Slack    time.Duration
}

// when says what a time of delivery means for a file.
type when uint8

const (
	within  when = iota // it must be in the file
	near                // it may be in it, or in the next or the one before
	outside             // it is another day's
)

func (w Window) of(t time.Time) when {
	switch {
	case t.IsZero():
		return near // nobody knows when
	case t.After(w.From.Add(w.Slack)) && !t.After(w.To.Add(-w.Slack)):
		return within
	case t.After(w.From.Add(-w.Slack)) && !t.After(w.To.Add(w.Slack)):
		return near
	}
	return outside
}

// read gives the file's payments, and sums up what the comparison by key does
// not: refunds, fees, and what is paid out.
func (s *Statement) read(ctx context.Context, r *Settled, listed int, give func(line)) error {
	w := s.Window()
	r.From, r.To = w.From, w.To
	in := s.File
	if s.Config.Encoding == "gb18030" {
		in = transform.NewReader(in, simplifiedchinese.GB18030.NewDecoder())
	}
	lines := &statementLines{in: bufio.NewReaderSize(in, 1<<16), comma: s.Config.Comma}
	at, err := s.heading(lines)
	if err != nil {
		return err
	}
	fees, net, refunds := sums{}, sums{}, sums{}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if len(row) != at.width {
			// Some providers put totals below, in columns of their own; but then no
			// payment follows.
			if err := lines.rest(at.width, r); err != nil {
				return err
			}
			break
		}
		one := s.line(row, at)
		r.Lines++
		amount, ok := parse(one.amount)
		switch {
		case ok && amount.Negative:
			r.Refunds++
			refunds.add(one.currency, amount)
		default:
			give(line{key: one.key, amount: one.amount, currency: one.currency, amounts: true})
		}
		fee, okFee := parse(one.fee)
		if okFee {
			fees.add(one.currency, fee)
		}
		paid, okNet := parse(one.net)
		if okNet {
			net.add(one.currency, paid)
		}
		if at.net >= 0 && !(ok && okFee && okNet && equal(amount, fee, paid)) {
			r.Miscounted.add(Finding{Key: one.key, Ours: one.amount + " - " + one.fee, Theirs: one.net, Currency: one.currency, Line: lines.number}, listed)
		}
	}
	r.RefundSums, r.Fees, r.Net = refunds.list(), fees.list(), net.list()
	return nil
}

// columnsOf says where the columns stand; -1: nowhere.
type columnsOf struct{ key, amount, fee, net, currency, width int }

// heading finds the first line that names every column.
func (s *Statement) heading(lines *statementLines) (columnsOf, error) {
	c := &s.Config
	for {
		row, err := lines.next()
		if errors.Is(err, io.EOF) {
			return columnsOf{}, &failure{step: stepHeading, text: strings.Join(slices.DeleteFunc([]string{c.Key, c.Amount, c.Fee, c.Net, c.Currency}, func(s string) bool { return s == "" }), ", ")}
		}
		if err != nil {
			return columnsOf{}, err
		}
		at := columnsOf{width: len(row)}
		whole := true
		for _, column := range []struct {
			name  string
			index *int
		}{{c.Key, &at.key}, {c.Amount, &at.amount}, {c.Fee, &at.fee}, {c.Net, &at.net}, {c.Currency, &at.currency}} {
			*column.index = slices.Index(row, column.name)
			if column.name == "" {
				*column.index = -1
			} else if *column.index < 0 {
				whole = false
			}
		}
		if whole {
			return at, nil
		}
	}
}

type statementLine struct{ key, amount, fee, net, currency string }

func (s *Statement) line(row []string, at columnsOf) statementLine {
	cell := func(i int) string {
		if i < 0 {
			return ""
		}
		return row[i]
	}
	one := statementLine{key: cell(at.key), amount: plainAmount(cell(at.amount)), fee: plainAmount(cell(at.fee)), net: plainAmount(cell(at.net)), currency: cell(at.currency)}
	if at.currency < 0 {
		one.currency = s.Config.Code
	}
	return one
}

var grouped = regexp.MustCompile(`^[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$`)

// plainAmount takes the sign of a currency and the commas between thousands out
// of an amount.
func plainAmount(text string) string {
	for _, sign := range []string{"¥", "￥", "$", "€"} {
		text = strings.TrimPrefix(text, sign)
	}
	if grouped.MatchString(text) {
		text = strings.ReplaceAll(text, ",", "")
	}
	return text
}

// statementLines reads the lines of a file; comments and empty lines are left
// out. A quoted field does not go over the end of its line: no provider writes
// such, and a quote too many must not swallow the rest of the file.
type statementLines struct {
	in     *bufio.Reader
	comma  rune
	number int // of the line read last, from 1
}

const longestLine = 64 << 10

func (l *statementLines) next() ([]string, error) {
	for {
		raw, err := l.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(raw) > longestLine {
			return nil, &failure{step: stepLine, text: fmt.Sprintf("line %d is too long", l.number+1)}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, &failure{step: stepLine, text: fmt.Sprintf("after line %d: the file could not be read further", l.number)}
		}
		if len(raw) == 0 {
			return nil, io.EOF
		}
		l.number++
		text := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		// The decoder puts U+FFFD where there is no GB 18030.
		if !utf8.Valid(text) || bytes.ContainsRune(text, utf8.RuneError) {
			return nil, &failure{step: stepEncoding, text: fmt.Sprintf("line %d", l.number)}
		}
		r := csv.NewReader(bytes.NewReader(text))
		r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = l.comma, -1, true
		row, err := r.Read()
		if err != nil {
			return nil, &failure{step: stepLine, text: fmt.Sprintf("line %d is not CSV", l.number)}
		}
		for i, cell := range row {
			// Some providers keep spreadsheets from rounding long numbers by a
			// tab behind or a backtick before them.
			row[i] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(cell), "`"))
		}
		return row, nil
	}
}

// rest makes sure that nothing below the totals looks like a payment: a file
// that was not understood to its end gives no report.
func (l *statementLines) rest(width int, r *Settled) error {
	r.Below = 1
	for ; ; r.Below++ {
		row, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(row) == width {
			return &failure{step: stepLine, text: fmt.Sprintf("line %d stands below one with another number of columns", l.number)}
		}
	}
}
