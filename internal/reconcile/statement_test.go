package reconcile_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/reconcile"
)

func shanghai(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// settlement reads a file of day 2026-03-02, which ends at 23:30.
func settlement(t *testing.T, file string) *reconcile.Statement {
	zone := shanghai(t)
	return &reconcile.Statement{
		Config: continuity.Settlement{
			Key: "商户订单号", Amount: "订单金额", Fee: "手续费", Net: "入账", Code: "CNY", Comma: ',', Encoding: "utf-8",
			Cutoff: 23*time.Hour + 30*time.Minute, Zone: zone, Slack: 5 * time.Minute,
		},
		Day: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), File: strings.NewReader(file),
	}
}

const statement = `#支付业务明细
#起始日期：[2026年03月01日 23:30:00]

商户订单号	,时间,订单金额,手续费,入账
A-1	,2026-03-02 10:00:00,"1,012.50",6.08,1006.42
` + "`A-2,`2026-03-02 10:00:01,`¥100.00,`0.60,`99.40" + `
A-3,2026-03-02 10:00:02,30.00,0.18,29.82
A-7,2026-03-02 10:00:03,7.00,0.04,6.95
A-6,2026-03-02 10:00:04,6.00,0.04,5.96
refund-1,2026-03-02 11:00:00,-50.00,-0.30,-49.70
passed-1,2026-03-02 11:00:01,1.00,0.01,0.99
总笔数,总金额
8,1106.50
`

func at(t *testing.T, n byte, key, amount, clock string) reconcile.Record {
	t.Helper()
	r := rec(n, key, delivered, amount)
	when, err := time.ParseInLocation("2006-01-02 15:04", clock, shanghai(t))
	if err != nil {
		t.Fatal(err)
	}
	r.Delivered = when
	return r
}

func TestRule9_1_SettlementFileOfADay(t *testing.T) {
	r := run(t, reconcile.Options{
		Config: continuity.Reconcile{Amount: "/amount"}, Statement: settlement(t, statement),
		Records: each(
			at(t, 1, "A-1", "1012.5", "2026-03-02 10:00"), // found
			at(t, 2, "A-2", "100", "2026-03-01 23:32"),    // found, at the very beginning
			at(t, 3, "A-3", "31", "2026-03-02 10:00"),     // differs
			at(t, 4, "A-4", "4", "2026-03-02 23:20"),      // missing
			at(t, 5, "A-5", "5", "2026-03-02 23:29"),      // so late that it may be in the next file
			rec(6, "A-6", inDoubt, "6"),                   // there
			at(t, 7, "A-7", "7", "2026-02-20 10:00"),      // there, though of another day
			at(t, 8, "A-8", "8", "2026-03-03 10:00"),      // another day's
			at(t, 9, "A-9", "9", "2026-02-28 10:00"),      // another day's
		),
	})
	want := []string{
		"missing A-4 delivered ours=4 theirs= rows=0 records=1",
		"differing A-3 delivered ours=31 theirs=30 rows=1 records=1",
		"there A-6 in-doubt ours=6 theirs= rows=1 records=0",
	}
	if diff := cmp.Diff(want, brief(r)); diff != "" {
		t.Error(diff)
	}
	s := r.Settled
	wantSettled := &reconcile.Settled{
		From: time.Date(2026, 3, 1, 15, 30, 0, 0, time.UTC), To: time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC),
		Lines: 7, Below: 2, Refunds: 1, RefundSums: []reconcile.Sum{{Currency: "CNY", Amount: "-50.00"}},
		Fees: []reconcile.Sum{{Currency: "CNY", Amount: "6.65"}}, Net: []reconcile.Sum{{Currency: "CNY", Amount: "1099.84"}},
		OtherDays: 2,
	}
	s.From, s.To = s.From.UTC(), s.To.UTC()
	nearby, miscounted := s.Nearby, s.Miscounted
	s.Nearby, s.Miscounted = reconcile.List{}, reconcile.List{}
	if diff := cmp.Diff(wantSettled, s); diff != "" {
		t.Error(diff)
	}
	if nearby.Total != 1 || nearby.Findings[0].Key != "A-5" {
		t.Errorf("nearby: %+v", nearby)
	}
	if miscounted.Total != 1 || miscounted.Findings[0].Key != "A-7" || miscounted.Findings[0].Line != 8 {
		t.Errorf("miscounted: %+v", miscounted)
	}
	if r.Found != 4 || r.Passed != 1 || r.Clean() {
		t.Errorf("%+v", r)
	}
}

func TestSettlementFilesInTheProvidersEncoding(t *testing.T) {
	encoded, err := simplifiedchinese.GB18030.NewEncoder().String(statement)
	if err != nil {
		t.Fatal(err)
	}
	s := settlement(t, encoded)
	s.Config.Encoding = "gb18030"
	if r := run(t, reconcile.Options{Config: continuity.Reconcile{Amount: "/amount"}, Statement: s, Records: each()}); r.Settled.Lines != 7 {
		t.Errorf("%+v", r.Settled)
	}
	step := func(s *reconcile.Statement) any {
		_, err := reconcile.Run(t.Context(), reconcile.Options{Statement: s, Records: each()})
		var e *continuity.Error
		if !errors.As(err, &e) {
			t.Fatalf("no error but %v", err)
		}
		return fmt.Sprint(e.Args["step"], ": ", e.Args["text"])
	}
	heading := "商户订单号,订单金额,手续费,入账\n"
	for name, test := range map[string]struct{ file, want string }{
		"another encoding":                {encoded, "encoding: line 4"},
		"a column is missing":             {"商户订单号,金额,手续费\nA-1,1,0\n", "heading: 商户订单号, 订单金额, 手续费, 入账"},
		"a payment below the totals":      {heading + "A-1,1,0,1\n总金额,1\nA-2,1,0,1\n", "line: line 4 stands below one with another number of columns"},
		"a quote that goes over its line": {heading + "A-1,\"1,0,1\nA-2,1,0,1\n", "line: line 2 is not CSV"},
		"a line without an end":           {heading + strings.Repeat("x", 100<<10), "line: line 2 is too long"},
	} {
		if got := step(settlement(t, test.file)); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A provider's day has 23 hours where clocks go forward.
func TestSettlementDaysFollowTheCalendar(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := reconcile.Statement{Config: continuity.Settlement{Cutoff: 24 * time.Hour, Zone: zone}, Day: time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)}
	w := s.Window()
	if got := w.To.Sub(w.From); got != 23*time.Hour || w.From.Format(time.DateTime) != "2026-03-29 00:00:00" {
		t.Errorf("%s from %s", got, w.From)
	}
}

func TestReportAsCSV(t *testing.T) {
	r := run(t, reconcile.Options{
		Config: continuity.Reconcile{Amount: "/amount"}, Statement: settlement(t, statement),
		Records: each(at(t, 1, "=cmd()", "1", "2026-03-02 10:00"), at(t, 3, "A-3", "31", "2026-03-02 10:00")),
	})
	var out bytes.Buffer
	if err := r.CSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var brief []string
	for _, row := range rows[1:] {
		brief = append(brief, strings.Join([]string{row[0], row[1], row[3], row[7], row[8], row[9], row[10], row[11]}, "|"))
	}
	want := []string{
		"sum||delivered|32|||2|",
		"sum-theirs||||30.00|CNY|1|",
		"missing|'=cmd()|delivered|1||||",
		"differing|A-3|delivered|31|30|CNY||",
		"refunds||||-50.00|CNY|1|",
		"fees||||6.65|CNY|7|",
		"net||||1099.84|CNY|7|",
		"miscounted|A-7||7.00 - 0.04|6.95|CNY||8",
	}
	if diff := cmp.Diff(want, brief); diff != "" {
		t.Error(diff)
	}
	zh, en := r.Lines(catalogue.Zh), r.Lines(catalogue.En)
	if len(zh) != len(en) {
		t.Errorf("%q\n%q", zh, en)
	}
	for _, line := range append(zh, en...) {
		if strings.Contains(line, "reconciliation.") || strings.Contains(line, "<no value>") {
			t.Errorf("line: %s", line)
		}
	}
}
