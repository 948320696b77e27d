package control

import "github.com/prometheus/client_golang/prometheus"

// checkCollector says how the node keeps up with its checks.
type checkCollector struct{ checks *checks }

var (
	descChecks  = prometheus.NewDesc("holdfast_control_checks", "Checks that this node looks at.", nil, nil)
	descRunning = prometheus.NewDesc("holdfast_control_check_looks_running", "Looks under way.", nil, nil)
	descWaiting = prometheus.NewDesc("holdfast_control_check_looks_waiting", "Looks that are due and wait for others to end.", nil, nil)
	descLooks   = prometheus.NewDesc("holdfast_control_check_looks_total", "Looks since the node began.", nil, nil)
	descSkipped = prometheus.NewDesc("holdfast_control_check_looks_skipped_total", "Looks that were due while the last one was still under way.", nil, nil)
)

func (c *checkCollector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

func (c *checkCollector) Collect(to chan<- prometheus.Metric) {
	s := c.checks.looks.Stats()
	for desc, value := range map[*prometheus.Desc]float64{descChecks: float64(s.Checks), descRunning: float64(s.Running), descWaiting: float64(s.Waiting)} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	to <- prometheus.MustNewConstMetric(descLooks, prometheus.CounterValue, float64(s.Looks))
	to <- prometheus.MustNewConstMetric(descSkipped, prometheus.CounterValue, float64(s.Skipped))
}
