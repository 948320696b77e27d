package extract

import (
	"regexp"

	"holdfast/internal/continuity"
)

// Kind is which kind of news a notice is.
type Kind string

// The kinds.
const (
	Maintenance Kind = "maintenance" // planned
	Emergency   Kind = "emergency"   // maintenance at short notice
	Outage      Kind = "outage"
	Resolved    Kind = "resolved"  // over: an outage or a window
	Cancelled   Kind = "cancelled" // a window that won't be
)

// Level is how bad it is, by the levels of warnings.
type Level = continuity.Level

// The levels.
const (
	Blue   = continuity.LevelBlue
	Yellow = continuity.LevelYellow
	Orange = continuity.LevelOrange
	Red    = continuity.LevelRed
)

type words struct {
	kind    Kind
	pattern *regexp.Regexp
}

// inTitle are the words of a title, the weightiest first; inBody those that mean
// the same in running text, where "if it is not resolved" stands too.
var (
	inTitle = []words{
		{Cancelled, regexp.MustCompile(`(?i)取消|\bcancel(?:l?ed|ing|lation)`)},
		{Resolved, regexp.MustCompile(`(?i)已恢复|恢复正常|恢复通知|恢复公告|已解决|已修复|已完成|完成通知|故障解除|结束公告|\bresolved\b|\brestored\b|\bcompleted\b|\bis complete\b|\brecovered\b`)},
		{Emergency, regexp.MustCompile(`(?i)(?:紧急|应急|临时)[^\n,.]{0,8}?(?:维护|变更|升级|割接|停机|检修)|\b(?:emergency|urgent|unscheduled|unplanned)\b[^\n.]{0,20}\b(?:maintenance|upgrade|patch|restart|change)`)},
		{Maintenance, regexp.MustCompile(`(?i)维护|升级|割接|停机|停服|变更|迁移|检修|闪断|\bmaintenance\b|\bupgrades?\b|\bmigrations?\b|\bplanned work\b|\bplanned downtime\b|\bscheduled downtime\b`)},
		{Outage, regexp.MustCompile(`(?i)故障|异常|中断|不可用|宕机|无法|失败率|延迟|缓慢|超时|\boutage\b|\bincident\b|\bdisruption\b|\bdegrad|\bunavailab|\belevated\b|\berrors?\b|\blatency\b|\bdelay|\bdown\b|\bfail(?:ing|ure|ures|ed)?\b|\bissues?\b|\bproblems?\b|\bslow`)},
	}
	inBody = []words{
		{Cancelled, regexp.MustCompile(`(?i)(?:维护|升级|割接|变更|计划)[^\n.]{0,20}(?:已|将)?取消|(?:取消)[^\n.]{0,12}(?:维护|升级|割接|变更)|\bmaintenance\b[^\n.]{0,40}\b(?:has been|is|was|been) cancell?ed|\bwill no longer take place`)},
		{Resolved, regexp.MustCompile(`(?i)已(?:经)?(?:全部|完全)?(?:恢复|修复|解决)|(?:已|均)恢复正常|(?:维护|升级|割接)[^\n.]{0,12}已(?:经)?(?:顺利|提前|按时)?(?:完成|结束)|\b(?:has|have) been (?:fully )?(?:resolved|restored|completed|mitigated)\b|\b(?:is|are) now (?:resolved|operational|back to normal)\b|\bhas recovered\b|(?m)^\s*(?:Resolved|Completed) -`)},
		inTitle[2],
		{Maintenance, regexp.MustCompile(`(?i)(?:例行|计划|系统|网络|数据库|机房|定期|进行|实施|执行)[^\n.]{0,16}(?:维护|升级|割接|变更|迁移|检修)|维护窗口|升级窗口|停机维护|停服|\b(?:scheduled|planned|routine|perform\w*|undergo\w*)\b[^\n.]{0,40}\b(?:maintenance|upgrades?|migrations?)|\bmaintenance\b|\bplanned work\b`)},
		{Outage, regexp.MustCompile(`(?i)故障|异常|中断|不可用|宕机|无法(?:正常)?(?:访问|登录|使用|连接|发送|打开|下单)|\boutage\b|\bdisruption|\bdegraded\b|\bunavailable\b|\belevated\b|\bincreased (?:errors?|latency)|\binvestigating\b|\bidentified the (?:issue|cause)|\berror rates?\b`)},
	}
	moved = regexp.MustCompile(`(?i)延期|推迟|改期|顺延|(?:时间|窗口|计划)[^\n.]{0,10}(?:调整|变更|改)(?:为|至|到)?|时间变更|\breschedul|\bpostpon|\bdelayed (?:until|to)\b|\bnew (?:time|date|window)\b|\bmoved to\b`)
)

// kindOf reads the kind; empty where no word says it. That something is over is
// said in the text while the title still names what it was. Where the time lies
// ahead it is not over.
func kindOf(title, body string, lies bool) Kind {
	for _, part := range []struct {
		words []words
		text  string
	}{{inTitle[:2], title}, {inBody[:2], body}, {inTitle[2:], title}, {inBody[2:], body}} {
		for _, w := range part.words {
			if w.pattern.MatchString(part.text) && !(lies && w.kind == Resolved) {
				return w.kind
			}
		}
	}
	return ""
}

var levels = []struct {
	level   Level
	pattern *regexp.Regexp
}{
	{Red, regexp.MustCompile(`(?i)\bcritical\b|\b(?:complete|full|total) (?:outage|loss)|\bcompletely (?:unavailable|down)|全部(?:中断|不可用|服务)|全面中断|完全(?:不可用|中断)|全站|\bP0\b`)},
	{Orange, regexp.MustCompile(`(?i)\bmajor\b|\bsignificant\b|\bsevere|大面积|大范围|严重|重大|\bP1\b`)},
	{Yellow, regexp.MustCompile(`(?i)\bminor\b|\bpartial|\bdegraded\b|\bsome (?:users|customers|requests)|\bintermittent|\belevated\b|\blatency\b|\bslow|\bdelay|部分|少量|个别|间歇|偶发|延迟|缓慢|抖动|\bP2\b`)},
}

// levelOf reads how bad it is; empty where no word says it.
func levelOf(kind Kind, text string) Level {
	switch kind {
	case Maintenance:
		return Blue
	case Emergency:
		return Yellow
	case Resolved, Cancelled:
		return ""
	}
	for _, l := range levels {
		if l.pattern.MatchString(text) {
			return l.level
		}
	}
	return ""
}
