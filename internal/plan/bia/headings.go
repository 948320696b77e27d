package bia

import (
	"regexp"
	"strings"
	"time"
)

// kind is what a column holds.
type kind string

// The kinds of columns.
const (
	department kind = "department"
	process    kind = "process"
	mtd        kind = "mtd"
	rto        kind = "rto"
	rpo        kind = "rpo"
	loss       kind = "loss"
	stage      kind = "stage"
	effects    kind = "effects"
	needs      kind = "needs"
	meantime   kind = "meantime"
	owner      kind = "owner"
)

// required are the columns that a plan can't do without, with the headings
// that an error proposes.
var required = []struct {
	kind kind
	name string
}{{department, "Department (部门)"}, {process, "Process (业务流程)"}, {mtd, "MTD"}, {rto, "RTO"}, {rpo, "RPO"}}

// names of columns, folded, without what stands in brackets.
var names = map[kind][]string{
	department: {"部门", "所属部门", "业务部门", "责任部门", "部门名称", "department", "dept", "dept.", "business unit", "unit"},
	process:    {"业务流程", "流程", "流程名称", "业务", "业务名称", "业务活动", "关键业务", "关键业务流程", "业务功能", "process", "business process", "process name", "activity", "function", "business function"},
	mtd:        {"mtd", "mtpd", "mao", "最大可容忍中断时间", "最长可容忍中断时间", "最大可容忍停机时间", "最大允许中断时间", "最大容忍中断时间", "maximum tolerable downtime", "maximum tolerable period of disruption", "max tolerable downtime"},
	rto:        {"rto", "恢复时间目标", "目标恢复时间", "recovery time objective", "recovery time"},
	rpo:        {"rpo", "恢复点目标", "目标恢复点", "数据恢复点目标", "可容忍数据丢失", "recovery point objective", "recovery point"},
	loss:       {"损失", "经济损失", "财务影响", "财务损失", "预计损失", "loss", "financial loss", "financial impact", "cost of downtime", "cost"},
	effects:    {"影响", "业务影响", "影响描述", "影响说明", "impact", "effects", "effect", "business impact", "impact description"},
	needs:      {"依赖", "依赖系统", "支持系统", "相关系统", "依赖资源", "depends on", "dependencies", "systems", "needs", "resources"},
	meantime:   {"临时工作方式", "临时措施", "替代方案", "替代流程", "应急方式", "手工流程", "workaround", "interim", "interim way of working", "interim way", "manual workaround", "meanwhile"},
	owner:      {"负责人", "流程负责人", "责任人", "owner", "process owner", "responsible"},
}

var kinds = func() map[string]kind {
	all := map[string]kind{}
	for k, list := range names {
		for _, name := range list {
			all[name] = k
		}
	}
	return all
}()

// column is what a heading says of the cells below.
type column struct {
	kind  kind
	name  string        // the heading as it stands there
	unit  time.Duration // of bare numbers
	money scale
	after time.Duration // of a stage
}

var (
	brackets  = regexp.MustCompile(`[(\[【<]([^)\]】>]*)[)\]】>]`)
	perTime   = regexp.MustCompile(`^(?:每(小时|天|日|分钟|周)|(?:(小)?时|(日|天))均?)(?:经济|财务|预计)?(?:损失|成本)$|^(hourly|daily) (?:loss|cost)$|^(?:loss|cost|financial loss|loss/|cost/) ?(?:per|/|an|a)? ?(hour|hr|h|day|d|minute|min|week)$`)
	afterTime = regexp.MustCompile(`^(?:中断|停机|after|loss after|loss at)? *(\d+(?:\.\d+)? *[a-z小时天日分钟周]+?) *(?:后|内)?(?:的|累计)?(?:经济|财务|预计)?(?:损失|loss|cost)?$`)
)

// heading recognises a column by its heading.
func heading(text string) (column, bool) {
	text = strings.NewReplacer("*", "", ":", "", "\n", "").Replace(fold(text))
	inside := ""
	if m := brackets.FindStringSubmatch(text); m != nil {
		inside = strings.TrimSpace(m[1])
	}
	name := strings.TrimSpace(brackets.ReplaceAllString(text, " "))
	name = strings.Join(strings.Fields(name), " ")
	c := column{unit: units[inside]}
	if m := moneyUnit.FindStringSubmatch(inside); m != nil {
		c.money = scale{times: multiples[m[1]], currency: currencies[m[2]]}
		if _, after, ok := strings.Cut(inside, "/"); ok {
			c.money.per = units[strings.TrimSpace(after)]
		}
	}
	if k, ok := kinds[name]; ok {
		c.kind = k
		return c, true
	}
	if k, ok := kinds[inside]; ok { // 最大中断时间（MTD）
		c.kind, c.unit = k, 0
		return c, true
	}
	if m := perTime.FindStringSubmatch(name); m != nil {
		c.kind = loss
		switch {
		case m[1] != "":
			c.money.per = units[m[1]]
		case m[2] != "" || m[4] == "hourly":
			c.money.per = time.Hour
		case m[3] != "" || m[4] == "daily":
			c.money.per = day
		default:
			c.money.per = units[m[5]]
		}
		return c, true
	}
	if m := afterTime.FindStringSubmatch(name); m != nil {
		if d, id := span(m[1], 0); id == "" && d > 0 {
			c.kind, c.after = stage, d
			return c, true
		}
	}
	// A name with its abbreviation beside it: "恢复时间目标 RTO", "RTO 目标".
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '/' || r == '-' || r > 0x7f }) {
		if k, ok := kinds[word]; ok && (k == mtd || k == rto || k == rpo) {
			c.kind = k
			return c, true
		}
	}
	return column{}, false
}
