package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

func TestPlanInitTakesASheetOrNothing(t *testing.T) {
	dir := t.TempDir()
	sheet := func(name string, rows ...[]any) string {
		f := excelize.NewFile()
		for i, row := range rows {
			if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(dir, name)
		if err := f.SaveAs(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	head := []any{"部门", "业务流程", "MTD", "RTO", "RPO", "每小时损失"}
	good := sheet("good.xlsx", head, []any{"销售部", "接收订单", "4小时", "30分钟", "实时", "2万元"}, []any{"物流部", "发货", "2天", "1天", "1小时", ""})
	bad := sheet("bad.xlsx", head, []any{"销售部", "接收订单", "4小时", "30分钟", "实时", "2万元"}, []any{"物流部", "发货", "2天", "3天", "?", ""})
	do := func(input string, args ...string) (status int, out, err string) {
		var o, e bytes.Buffer
		status = run(t.Context(), append([]string{"--lang", "zh", "plan", "init", "--to", dir}, args...), streams{strings.NewReader(input), &o, &e}, func(string) string { return "" })
		return status, o.String(), e.String()
	}
	const four = "商城\nshop\nli.wei\nzhang.min\n"

	status, _, err := do(four, "--bia", bad)
	if status != exitStatuses[continuity.CodeConfig] || !strings.Contains(err, "Sheet1!D3：") || !strings.Contains(err, "Sheet1!E3：") {
		t.Errorf("%d: %s", status, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "shop.yaml")); err == nil {
		t.Error("half a sheet was taken")
	}
	status, _, err = do(four, "--bia", bad, "--json")
	if status != exitStatuses[continuity.CodeConfig] || strings.Contains(err, "Sheet1") {
		t.Errorf("--json: %d: %s", status, err)
	}
	status, _, err = do(four, "--bia", filepath.Join(dir, "none.xlsx"))
	if status != exitStatuses[continuity.CodeInvalid] || !strings.Contains(err, "none.xlsx 不存在") {
		t.Errorf("no file: %d: %s", status, err)
	}
	status, _, err = do(four, "--bia", good, "--answer", "mtd=4h")
	if status != exitStatuses[continuity.CodeInvalid] {
		t.Errorf("an answer that the sheet has: %d: %s", status, err)
	}

	status, out, err := do(four, "--bia", good)
	if status != exitOK || !strings.Contains(out, "2 个流程") {
		t.Fatalf("%d: %s%s", status, out, err)
	}
	if strings.Contains(err, "最多能承受") || !strings.Contains(err, "谁是副手") {
		t.Errorf("asked: %s", err)
	}
	file := filepath.Join(dir, "shop.yaml")
	text, failed := os.ReadFile(file)
	if failed != nil {
		t.Fatal(failed)
	}
	p, problems := plan.Parse(plan.Source{Name: file, Text: text}, nil, nil)
	if p == nil || len(problems) > 0 || len(p.Impact) != 2 || p.Impact[0].Process != "jie-shou-ding-dan" {
		t.Errorf("%v\n%s", problems, text)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}
