package bia

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"holdfast/internal/catalogue"
)

// book makes a spreadsheet of sheets, each a list of rows of cells.
func book(t *testing.T, sheets map[string][][]any, also func(*excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	first := true
	for _, name := range slices.Sorted(maps.Keys(sheets)) { // the first one is active and can't be hidden
		rows := sheets[name]
		if first {
			must(t, f.SetSheetName("Sheet1", name))
			first = false
		} else if _, err := f.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			must(t, f.SetSheetRow(name, fmt.Sprintf("A%d", i+1), &row))
		}
	}
	if also != nil {
		also(f)
	}
	var out bytes.Buffer
	must(t, f.Write(&out))
	return out.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// said reads a file and says its problems.
func said(t *testing.T, file []byte, lang catalogue.Lang) ([]Row, []string) {
	t.Helper()
	rows, problems, err := Read(bytes.NewReader(file))
	must(t, err)
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.Message(lang))
	}
	return rows, texts
}

func spanOf(d time.Duration) Span { return Span{d, true} }

func TestChineseSheetWithTitleMergedCellsAndTwoRowsOfHeadings(t *testing.T) {
	file := book(t, map[string][][]any{"销售": {
		{"业务影响分析表 2026"},
		{"填表人：李伟"},
		{"所属部门", "业务流程", "恢复目标", "", "", "每小时损失（万元）", "4小时后损失", "1天后损失", "替代方案"},
		{"", "", "MTD（小时）", "RTO", "RPO", "", "", "", ""},
		{"销售部", "接收订单", 4, "３０分钟", "实时", 2, "10万元", "￥1,000,000", "电话下单"},
		{"", "开具发票", "8", "≤4小时", "1小时30分钟", "-", "", "", ""},
		{"合计", "", "", "", "", 2},
	}}, func(f *excelize.File) {
		must(t, f.MergeCell("销售", "A1", "I1"))
		must(t, f.MergeCell("销售", "A3", "A4"))
		must(t, f.MergeCell("销售", "B3", "B4"))
		must(t, f.MergeCell("销售", "C3", "E3"))
		must(t, f.MergeCell("销售", "F3", "F4"))
		must(t, f.MergeCell("销售", "A5", "A6"))
	})
	rows, problems := said(t, file, catalogue.Zh)
	want := []Row{
		{Sheet: "销售", Line: 5, At: "B5", Department: "销售部", Process: "接收订单", MTD: spanOf(4 * time.Hour), RTO: spanOf(30 * time.Minute), RPO: spanOf(0),
			Loss: Loss{Money{20000_0000, "CNY"}, time.Hour}, OverTime: []Stage{{4 * time.Hour, Money{100000_0000, "CNY"}}, {day, Money{1000000_0000, "CNY"}}}, Meantime: "电话下单"},
		{Sheet: "销售", Line: 6, At: "B6", Department: "销售部", Process: "开具发票", MTD: spanOf(8 * time.Hour), RTO: spanOf(4 * time.Hour), RPO: spanOf(90 * time.Minute)},
	}
	if diff := cmp.Diff(want, rows); diff != "" || problems != nil {
		t.Errorf("%v\n-want +got:\n%s", problems, diff)
	}
}

func TestEnglishSheetBesideOthers(t *testing.T) {
	file := book(t, map[string][][]any{
		"Notes": {{"How to fill this in"}, {"Ask Li Wei"}},
		"BIA": {
			{"Process", "Department", "Recovery Time Objective (RTO)", "Maximum tolerable downtime", "RPO [min]", "Loss per hour", "Owner"},
			{"Order intake", "Sales", "0.5h", "4 hours", 15, "20,000 CNY", "Li Wei"},
			{},
			{"Invoices", "Finance", "1 day 12h", "3d", "none", "USD 500/day", ""},
		},
		"Old": {{"Process", "MTD"}, {"x", "?"}},
	}, func(f *excelize.File) { must(t, f.SetSheetVisible("Old", false)) })
	rows, problems := said(t, file, catalogue.En)
	want := []Row{
		{Sheet: "BIA", Line: 2, At: "A2", Department: "Sales", Process: "Order intake", MTD: spanOf(4 * time.Hour), RTO: spanOf(30 * time.Minute), RPO: spanOf(15 * time.Minute), Loss: Loss{Money{20000_0000, "CNY"}, time.Hour}, Owner: "Li Wei"},
		{Sheet: "BIA", Line: 4, At: "A4", Department: "Finance", Process: "Invoices", MTD: spanOf(3 * day), RTO: spanOf(36 * time.Hour), RPO: spanOf(0), Loss: Loss{Money{500_0000, "USD"}, day}},
	}
	if diff := cmp.Diff(want, rows); diff != "" || problems != nil {
		t.Errorf("%v\n-want +got:\n%s", problems, diff)
	}
}

func TestEveryCellThatCannotBeReadIsSaid(t *testing.T) {
	file := book(t, map[string][][]any{"BIA": {
		{"部门", "流程", "MTD", "RTO", "RPO", "损失", "1小时后损失", "4小时后损失"},
		{"销售", "接单", "2-4小时", "30分钟", "1秒", "20000 CNY/h"},
		{"销售", "退货", 4, "很快", "", "20000"},
		{"", "发货", "2h", "3h", "0", "500 CNY"},
		{"销售", "售后", "3个工作日", "1h", "0", "很多"},
		{"仓储", "盘点", "2d", "1d", "1h", ""},
		{"仓储", "盘点", "2d", "1d", "1h", ""},
		{"仓储", "报废", "2d", "1d", "1h", "900 CNY/week"},
		{"仓储", "移库", "2d", "1d", "1h", "", "500 CNY", "9 CNY"},
		{"仓储", "收货", "2d", "1d", "1h", "", "99999999999999 CNY"},
	}}, nil)
	rows, problems := said(t, file, catalogue.En)
	if len(rows) != 1 || rows[0].Process != "盘点" {
		t.Errorf("%+v", rows)
	}
	want := []string{
		"BIA!C2: “2-4小时” is a range. Write one time: the one that must hold.",
		"BIA!C3: “4” has no unit. Write 4 h or 30 min, or put the unit into the heading: MTD (h).",
		"BIA!D3: “很快” is no time. Write it like 4 hours, 30 min or 1.5 h.",
		"BIA!E3: RPO is empty. Fill it in, or delete the row.",
		"BIA!F3: “20000” has no currency. Write 20000 CNY, or put the currency into the heading: Loss per hour (CNY).",
		"BIA!A4: 部门 is empty. Fill it in, or delete the row.",
		"BIA!D4: The RTO (3h) is longer than the MTD (2h). Back later than can be borne is no goal: shorten the one or correct the other.",
		"BIA!F4: “500 CNY” doesn't say for how long. Write 20000 CNY/h, or name the column Loss per hour.",
		"BIA!C5: “3个工作日” counts working days, but outages don't stop at night. Write days or hours.",
		"BIA!F5: “很多” is no amount. Write it like 20000 CNY, ¥20,000 or 2万元.",
		"BIA!B7: 盘点 of this department stands in BIA!B6 already. Keep one of the two.",
		"BIA!F8: “900 CNY/week” is a loss per week. Write it per day or hour: nobody waits a week to count.",
		"BIA!H9: 9 CNY is less than the 500 CNY that was lost before. Write what is lost by then altogether.",
		"BIA!G10: “99999999999999 CNY” is no amount. Write it like 20000 CNY, ¥20,000 or 2万元.",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFilesThatAreNoAnalysis(t *testing.T) {
	bomb := func(part, open, fill string, n int, end string) []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		w, err := z.Create(part)
		must(t, err)
		for _, s := range []string{open, strings.Repeat(fill, n), end} {
			_, err = w.Write([]byte(s))
			must(t, err)
		}
		must(t, z.Close())
		return out.Bytes()
	}
	const sheet = "xl/worksheets/sheet1.xml"
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"text":           {[]byte("department,process"), "bia.no-xlsx"},
		"nothing":        {nil, "bia.no-xlsx"},
		"a zip":          {bomb("a.txt", "", "a", 9, ""), "bia.no-xlsx"},
		"old or locked":  {append(bytes.Clone(ole), make([]byte, 600)...), "bia.old-or-locked"},
		"too big":        {make([]byte, maxFile+1), "bia.too-big"},
		"a bomb":         {bomb("xl/media/a.png", "", strings.Repeat("a", 1<<10), 30<<10, ""), "bia.unpacks-too-big"},
		"many rows":      {bomb(sheet, "<worksheet><sheetData>", "<row/>", maxRows+1, "</sheetData></worksheet>"), "bia.too-many-rows"},
		"the last row":   {bomb(sheet, "<worksheet><sheetData>", `<row r="1048576"/>`, 1, "</sheetData></worksheet>"), "bia.too-many-rows"},
		"the last cell":  {bomb(sheet, "<worksheet><sheetData><row>", `<c r="XFD1"/>`, 1, "</row></sheetData></worksheet>"), "bia.too-many-columns"},
		"many cells":     {bomb(sheet, "<worksheet><sheetData><row>", "<c/>", maxCells+1, "</row></sheetData></worksheet>"), "bia.too-many-cells"},
		"a wide merging": {bomb(sheet, "<worksheet><mergeCells>", `<mergeCell ref="A1:XFD9"/>`, 1, "</mergeCells></worksheet>"), "bia.too-many-columns"},
		"a deep merging": {bomb(sheet, "<worksheet><mergeCells>", `<mergeCell ref="A1:B1048576"/>`, 1, "</mergeCells></worksheet>"), "bia.too-many-rows"},
		"other headings": {book(t, map[string][][]any{"S": {{"Name", "Phone"}, {"Li", 1}}}, nil), "bia.no-heading"},
		"no process":     {book(t, map[string][][]any{"S": {{"Department", "Process", "MTD", "RTO", "RPO"}}}, nil), "bia.no-rows"},
		"no RPO":         {book(t, map[string][][]any{"S": {{"Department", "Process", "MTD", "RTO"}, {"a", "b", "1h", "1h"}}}, nil), "bia.no-column"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, problems, err := Read(bytes.NewReader(c.file))
			if err != nil || len(rows) != 0 || len(problems) != 1 || problems[0].ID != c.want {
				t.Errorf("%v %v %v", rows, problems, err)
			}
		})
	}
}

func TestFormulasAreNotComputed(t *testing.T) {
	file := book(t, map[string][][]any{"S": {
		{"Department", "Process", "MTD", "RTO", "RPO"},
		{"Sales", "Orders", "4h", "1h", "0"},
	}}, func(f *excelize.File) { must(t, f.SetCellFormula("S", "D2", `=WEBSERVICE("http://127.0.0.1:1/")`)) })
	_, problems := said(t, file, catalogue.En)
	if len(problems) != 1 || !strings.HasPrefix(problems[0], "S!D2: ") {
		t.Errorf("%q", problems)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("PK\x03\x04"))
	var small bytes.Buffer
	sheet := excelize.NewFile()
	if err := sheet.SetSheetRow("Sheet1", "A1", &[]any{"Department", "Process", "MTD (h)", "RTO", "RPO", "Loss"}); err != nil {
		f.Fatal(err)
	}
	if err := sheet.Write(&small); err != nil {
		f.Fatal(err)
	}
	f.Add(small.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := Read(bytes.NewReader(file)); err != nil {
			t.Log(err) // an error is fine; a crash is not
		}
	})
}
