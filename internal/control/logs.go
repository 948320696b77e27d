package control

import (
	"context"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/logs"
)

// openLogs follows log files for checks, in the folders that the node's settings
// name.
func (n *Node) openLogs(c *checks) {
	c.logs = logs.NewSet(filepath.Join(n.o.Config.Data, "logs"), n.o.Config.Logs...)
	n.stack.push(func(context.Context) error {
		c.logs.Close()
		return nil
	})
}

// logCollector tells what was counted in log files.
type logCollector struct{ logs *logs.Set }

var (
	descLines     = prometheus.NewDesc("holdfast_log_lines_total", "Records of log files that match a check's pattern; without a pattern all.", []string{"check", "pattern"}, nil)
	descNew       = prometheus.NewDesc("holdfast_log_templates_new_total", "Kinds of lines that were never seen before, after learning.", []string{"check"}, nil)
	descRare      = prometheus.NewDesc("holdfast_log_rare_lines_total", "Records of kinds that are seldom seen, after learning.", []string{"check"}, nil)
	descTruncated = prometheus.NewDesc("holdfast_log_truncations_total", "Log files that were found emptied.", []string{"check"}, nil)
)

func (c *logCollector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

func (c *logCollector) Collect(to chan<- prometheus.Metric) {
	for _, f := range c.logs.All() {
		lines := f.Counts.Records
		if f.Pattern != "" {
			lines = f.Counts.Matched
		}
		to <- prometheus.MustNewConstMetric(descLines, prometheus.CounterValue, float64(lines), f.ID, f.Pattern)
		for desc, value := range map[*prometheus.Desc]int64{descNew: f.Counts.New, descRare: f.Counts.Rare, descTruncated: f.Counts.Truncated} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), f.ID)
		}
	}
}
