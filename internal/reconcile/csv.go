package reconcile

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// CSV writes the findings as a table for spreadsheets and programs: a heading,
// then a line for each finding that is listed, and for each sum.
func (r *Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"kind", "key", "receipt", "state", "accepted_at", "records", "rows", "ours", "theirs", "currency", "count", "line"})
	for _, s := range r.States {
		if len(s.Sums) == 0 {
			_ = out.Write([]string{"sum", "", "", s.State, "", "", "", "", "", "", strconv.FormatInt(s.Count, 10), ""})
		}
		for _, sum := range s.Sums {
			_ = out.Write([]string{"sum", "", "", s.State, "", "", "", sum.Amount, "", text(sum.Currency), strconv.FormatInt(s.Count, 10), ""})
		}
	}
	theirs := func(kind string, count int64, sums []Sum) {
		for _, sum := range sums {
			_ = out.Write([]string{kind, "", "", "", "", "", "", "", sum.Amount, text(sum.Currency), strconv.FormatInt(count, 10), ""})
		}
	}
	theirs("sum-theirs", r.Upstream-r.Passed, r.Sums)
	findings := func(kind string, l List) {
		for _, f := range l.Findings {
			_ = out.Write([]string{
				kind, text(f.Key), f.Receipt, f.State, stamp(f.AcceptedAt), strconv.Itoa(f.Records), strconv.Itoa(f.Rows),
				text(f.Ours), text(f.Theirs), text(f.Currency), "", number(f.Line),
			})
		}
	}
	findings("missing", r.Missing)
	findings("doubled", r.Doubled)
	findings("differing", r.Differing)
	findings("there", r.There)
	if s := r.Settled; s != nil {
		theirs("refunds", s.Refunds, s.RefundSums)
		theirs("fees", s.Lines, s.Fees)
		theirs("net", s.Lines, s.Net)
		findings("nearby", s.Nearby)
		findings("miscounted", s.Miscounted)
	}
	out.Flush()
	return out.Error()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// text keeps a key that a customer chose from being a formula in a spreadsheet.
// Numbers stay numbers.
func text(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, ok := parse(s); ok {
		return s
	}
	return "'" + s
}
