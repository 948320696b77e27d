package paper_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
	"holdfast/internal/plan/bia"
	"holdfast/internal/plan/paper"
	"holdfast/internal/yamldoc"
)

func imported(t *testing.T, rows ...[]any) (plan.Beginning, []string) {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := f.Write(&file); err != nil {
		t.Fatal(err)
	}
	read, problems, err := bia.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	var begun plan.Beginning
	if problems == nil {
		begun, problems = paper.Import(read, catalogue.En)
	}
	var said []string
	for _, p := range problems {
		said = append(said, p.Message(catalogue.En))
	}
	return begun, said
}

var answers = map[string]string{"service": "商城", "id": "shop", "owner": "li.wei", "deputy": "zhang.min"}

// TestSheetMakesAPlan takes a sheet as departments fill it in, and holds what
// comes of it to the language.
func TestSheetMakesAPlan(t *testing.T) {
	begun, said := imported(t,
		[]any{"部门", "业务流程", "MTD", "RTO", "RPO", "每小时损失", "4小时后损失", "1天后损失", "替代方案", "负责人", "影响"},
		[]any{"销售部", "接收订单", "4小时", "30分钟", "实时", "2万元", "10万元", "100万元", "电话接单，\"事后\"录入", "李伟", "声誉"},
		[]any{"客服部", "处理 退货", "1天", "1小时30分钟", "1h", "", "", "", "电话接单，\"事后\"录入", "", ""},
		[]any{"财务部", "对账", "3天", "2天", "90秒", "500元/天", "", "", "", "", ""},
		[]any{"物流部", "对账", "3天", "2天", "1.5秒", "无", "", "", "", "", ""},
		[]any{"Sales", "Order intake (web)", "4h", "45min", "0", "12.5 USD/min", "", "", "by phone", "", ""},
		[]any{"Sales", "24/7 hotline", "4h", "45min", "0", "", "", "", "", "", ""},
	)
	if said != nil {
		t.Fatal(said)
	}
	begun.Answers, begun.Day = answers, "2026-03-02"
	text := plan.Begin(begun)
	p, problems := plan.Parse(plan.Source{Name: "shop.yaml", Text: text}, nil, nil)
	if p == nil || len(problems) > 0 {
		var out bytes.Buffer
		_ = yamldoc.Render(&out, catalogue.En, text, problems)
		t.Fatalf("%s\n%s", text, out.String())
	}
	golden(t, "imported.yaml", string(text))
	ids := []string{}
	for i, row := range p.Impact {
		ids = append(ids, row.Process)
		from := begun.Impact[i]
		if row.MTD != from.MTD || row.RTO != from.RTO || row.RPO != from.RPO || row.Loss != from.Loss || row.Name != from.Name || row.Department != from.Department {
			t.Errorf("%+v became %+v", from, row)
		}
	}
	if got := strings.Join(ids, " "); got != "jie-shou-ding-dan chu-li-tui-huo cai-wu-bu-dui-zhang wu-liu-bu-dui-zhang order-intake-web p-24-7-hotline" {
		t.Error(got)
	}
	if formatted, found := plan.Format(plan.Source{Name: "shop.yaml", Text: text}); len(found) != 0 || string(formatted) != string(text) {
		t.Error("fmt would change it")
	}
}

// TestIDsDoNotDependOnTheOrderOfRows gives the same processes in another order.
func TestIDsDoNotDependOnTheOrderOfRows(t *testing.T) {
	head := []any{"部门", "业务流程", "MTD", "RTO", "RPO"}
	a, b, c := []any{"财务部", "对账", "3天", "2天", 0}, []any{"物流部", "对账", "3天", "2天", 0}, []any{"物流部", "发货", "3天", "2天", 0}
	of := func(rows ...[]any) map[string]string {
		begun, said := imported(t, append([][]any{head}, rows...)...)
		if said != nil {
			t.Fatal(said)
		}
		got := map[string]string{}
		for _, p := range begun.Impact {
			got[p.Department.Zh+p.Name.Zh] = p.Process
		}
		return got
	}
	first, second := of(a, b, c), of(c, b, a)
	if fmt.Sprint(first) != fmt.Sprint(second) || len(first) != 3 {
		t.Error(first, second)
	}
}

func TestNamesWithoutLettersAreNamed(t *testing.T) {
	begun, said := imported(t,
		[]any{"Department", "Process", "MTD", "RTO", "RPO"},
		[]any{"Sales", "Orders", "4h", "1h", "0"},
		[]any{"Sales", "①②", "4h", "1h", "0"},
	)
	if len(said) != 1 || !strings.HasPrefix(said[0], "Sheet1!B3: ") || begun.Impact != nil {
		t.Error(said, begun)
	}
}

// FuzzImport holds whatever can be read to the language: a sheet that is taken
// makes a plan without a mistake.
func FuzzImport(f *testing.F) {
	f.Add("销售部", "接收订单", "4h", "30min", "0", "2万元/h", "电话: \"接单\" #1")
	f.Add("a\u200bb", "x: {y}", "1.001s", "1ms", "0.5s", "0.0001 CNY/min", "\\ \u2028 \U000e0001")
	f.Add("–", "行长 長行", "3650d", "1d", "1:30:07", "9999999999999 CNY/day", "- a")
	f.Fuzz(func(t *testing.T, department, process, mtd, rto, rpo, loss, meanwhile string) {
		begun, said := imported(t, []any{"部门", "流程", "MTD", "RTO", "RPO", "损失", "替代方案"}, []any{department, process, mtd, rto, rpo, loss, meanwhile})
		if said != nil || len(begun.Impact) == 0 {
			return
		}
		begun.Answers, begun.Day = answers, "2026-03-02"
		text := plan.Begin(begun)
		if p, problems := plan.Parse(plan.Source{Name: "shop.yaml", Text: text}, nil, nil); p == nil {
			t.Fatalf("%v\n%s", problems, text)
		}
	})
}
