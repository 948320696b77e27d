package bia

import (
	"fmt"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		text string
		unit time.Duration
		want time.Duration
		id   string
	}{
		{"4小时", 0, 4 * time.Hour, ""}, {"4 个小时", 0, 4 * time.Hour, ""}, {"30 min", 0, 30 * time.Minute, ""}, {"0.5h", 0, 30 * time.Minute, ""},
		{"４ｈ", 0, 4 * time.Hour, ""}, {"半小时", 0, 30 * time.Minute, ""}, {"半天", 0, 12 * time.Hour, ""}, {"2小时半", 0, 150 * time.Minute, ""},
		{"1小时30分钟", 0, 90 * time.Minute, ""}, {"1 h 30 min", 0, 90 * time.Minute, ""}, {"2天", 0, 2 * day, ""}, {"1周", 0, 7 * day, ""},
		{"≤ 4小时", 0, 4 * time.Hour, ""}, {"4小时以内", 0, 4 * time.Hour, ""}, {"within 2 hours", 0, 2 * time.Hour, ""}, {"<15分", 0, 15 * time.Minute, ""},
		{"4:30", 0, 270 * time.Minute, ""}, {"0:00:10", 0, 10 * time.Second, ""}, {"4", time.Hour, 4 * time.Hour, ""}, {"0.25", time.Hour, 15 * time.Minute, ""},
		{"0", 0, 0, ""}, {"实时", 0, 0, ""}, {"None", 0, 0, ""}, {"10 secs.", 0, 10 * time.Second, ""},
		{"4", 0, 0, "bia.no-unit"}, {"2-4小时", 0, 0, "bia.range"}, {"2到4小时", 0, 0, "bia.range"}, {"30分钟~1小时", 0, 0, "bia.range"},
		{"2个工作日", 0, 0, "bia.working-days"}, {"1 business day", 0, 0, "bia.working-days"},
		{"soon", 0, 0, "bia.no-span"}, {"4 lightyears", 0, 0, "bia.no-span"}, {"-4h", 0, 0, "bia.no-span"}, {"99999999999999999999h", 0, 0, "bia.no-span"},
		{"999999小时", 0, 0, "bia.no-span"}, {"半", 0, 0, "bia.no-span"}, {"4h ?", 0, 0, "bia.no-span"},
	} {
		if got, id := span(c.text, c.unit); got != c.want || id != c.id {
			t.Errorf("%q: %v %q, want %v %q", c.text, got, id, c.want, c.id)
		}
	}
}

func TestMoney(t *testing.T) {
	yuan := scale{times: 1, currency: "CNY"}
	for _, c := range []struct {
		text string
		of   scale
		want string
		per  time.Duration
		id   string
	}{
		{"20000 CNY/h", scale{}, "200000000 CNY", time.Hour, ""}, {"2万元/小时", scale{}, "200000000 CNY", time.Hour, ""}, {"￥20,000", scale{}, "200000000 CNY", 0, ""},
		{"$500 per day", scale{}, "5000000 USD", day, ""}, {"1.5亿元", scale{}, "1500000000000 CNY", 0, ""}, {"12.3456 EUR", scale{}, "123456 EUR", 0, ""},
		{"20000", yuan, "200000000 CNY", 0, ""}, {"2", scale{10000, "CNY", time.Hour}, "200000000 CNY", time.Hour, ""}, {"500元", scale{10000, "CNY", 0}, "5000000 CNY", 0, ""},
		{"约2万", yuan, "200000000 CNY", 0, ""}, {"0", yuan, "0 CNY", 0, ""}, {"100 usd", yuan, "1000000 USD", 0, ""},
		{"20000", scale{}, "", 0, "bia.no-currency"}, {"$500 CNY", scale{}, "", 0, "bia.no-money"}, {"1,2,3 CNY", scale{}, "", 0, "bia.no-money"},
		{"lots", yuan, "", 0, "bia.no-money"}, {"0.00001 CNY", scale{}, "", 0, "bia.no-money"}, {"99999999999999999 CNY", scale{}, "", 0, "bia.no-money"},
		{"-5 CNY", scale{}, "", 0, "bia.no-money"},
	} {
		m, per, id := money(c.text, c.of)
		got := ""
		if id == "" {
			got = fmt.Sprint(m.Parts, " ", m.Currency)
		}
		if got != c.want || per != c.per || id != c.id {
			t.Errorf("%q: %s %v %q, want %s %v %q", c.text, got, per, id, c.want, c.per, c.id)
		}
	}
}

func TestHeadings(t *testing.T) {
	for text, want := range map[string]column{
		"部门": {kind: department}, " 业务流程* ": {kind: process}, "ＭＴＤ（小时）": {kind: mtd, unit: time.Hour}, "RTO (min)": {kind: rto, unit: time.Minute},
		"恢复时间目标 RTO": {kind: rto}, "最长中断时间（MTD）": {kind: mtd}, "RPO目标": {kind: rpo}, "Recovery point objective": {kind: rpo},
		"每小时损失": {kind: loss, money: scale{per: time.Hour}}, "每天损失（万元）": {kind: loss, money: scale{10000, "CNY", day}}, "Loss per hour (USD)": {kind: loss, money: scale{1, "USD", time.Hour}},
		"损失（元/小时）": {kind: loss, money: scale{1, "CNY", time.Hour}}, "4小时后损失": {kind: stage, after: 4 * time.Hour}, "1h": {kind: stage, after: time.Hour}, "Loss after 1 day": {kind: stage, after: day},
		"临时工作方式": {kind: meantime},
	} {
		if got, ok := heading(text); !ok || got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"", "备注", "Phone", "Author", "effort", "2026", "automated"} {
		if got, ok := heading(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
