package binding

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"holdfast/internal/plan"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/yamldoc"
)

// flowTime is how long the steps of a flow may take: the check's time-out where
// it is written, and the flow's own else. It goes for other kinds as it is.
func flowTime(p *plan.Plan, i int, script string) time.Duration {
	written := p.Tech.Checks[i].Timeout
	if _, there := p.Tech.Places[fmt.Sprintf("checks[%d].timeout", i)]; there {
		return written
	}
	if f, _ := flow.Parse("", []byte(script)); f != nil {
		return f.Timeout
	}
	return written
}

// logSpec is what is counted in log files. Lines are counted over so long that
// one bad moment is seen by as many looks as make the check fail.
func logSpec(c *plan.Check, s *probe.Spec) error {
	s.Target = c.Log
	s.Log = probe.Log{
		Unusual: c.Unusual, Rate: c.Rate, Window: max(time.Minute, c.Every*time.Duration(c.Down)),
		Learn: c.Learn, Quiet: c.Quiet, Encoding: c.Encoding,
	}
	var err error
	if s.Log.Pattern, err = pattern(c.Pattern); err != nil {
		return err
	}
	s.Log.Begins, err = pattern(c.Begins)
	return err
}

// flowBase is where a flow's requests go.
func flowBase(o Order) string {
	f, _ := flow.Parse(o.ID, []byte(o.Script))
	switch {
	case f == nil:
		return ""
	case o.Check.Via == "direct" && f.Direct != "":
		return f.Direct
	}
	return f.Base
}

// checkFlows reports what is wrong in the files of flows, and between them and
// their checks. A plan whose files are not at hand is not held to them.
func checkFlows(p *plan.Plan, r *Report) {
	if p.Tech == nil {
		return
	}
	told := map[string]bool{}
	for i := range p.Tech.Checks {
		c, where := &p.Tech.Checks[i], fmt.Sprintf("checks[%d]", i)
		checkLog(c, where, r)
		if c.Flow == "" || p.Files == nil || !filepath.IsLocal(c.Flow) {
			continue
		}
		text, there := p.Files[c.Flow]
		if !there {
			r.Tech(where+".flow", "watch.plan-no-flow", "file", c.Flow)
			continue
		}
		f, problems := flow.Parse(filepath.Join(filepath.Dir(p.File), c.Flow), []byte(text))
		if !told[c.Flow] {
			r.other(problems)
		}
		told[c.Flow] = true
		if f != nil {
			checkFlow(f, p, i, r)
		}
	}
}

func checkFlow(f *flow.Flow, p *plan.Plan, i int, r *Report) {
	c, where := &p.Tech.Checks[i], fmt.Sprintf("checks[%d]", i)
	switch {
	case f.Account && c.Account == "":
		r.Tech(where+".flow", "watch.plan-flow-account", "file", c.Flow)
	case !f.Account && c.Account != "":
		r.TechWarning(where+".account", "watch.plan-flow-no-account", "file", c.Flow)
	}
	if c.Via == "direct" && f.Direct == "" {
		r.Tech(where+".via", "watch.plan-flow-direct", "file", c.Flow)
	}
	if needs := flowTime(p, i, p.Files[c.Flow]) + f.After; needs > c.Every {
		r.Tech(where+".every", "watch.plan-flow-every", "needs", needs.String(), "every", c.Every.String())
	}
}

func checkLog(c *plan.Check, where string, r *Report) {
	if c.Log == "" {
		return
	}
	if _, err := filepath.Match(c.Log, ""); err != nil || !filepath.IsAbs(c.Log) || strings.Contains(c.Log, "..") {
		r.Tech(where+".log", "watch.plan-log")
	}
	if c.Pattern != "" {
		if p, err := regexp.Compile(c.Pattern); err == nil && p.MatchString("") {
			r.Tech(where+".pattern", "watch.plan-log-all")
		}
	}
}

// other notes what was found in files beside the plan.
func (r *Report) other(problems []yamldoc.Problem) { r.beside = append(r.beside, problems...) }
