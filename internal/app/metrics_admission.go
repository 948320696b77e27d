package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/admission"
	"holdfast/internal/api"
)

var (
	descShed      = desc("shed_total", "Requests turned away before anything was done for them, by reason.", "route", "reason")
	descOnWay     = desc("on_way", "Admitted requests on their way.", "route")
	descMostOnWay = desc("on_way_limit", "How many may be on their way at once; 0: no limit.", "route")
	descWaiting   = desc("line_waiting", "Clients in the waiting line, reckoned; absent without a line.", "route")
	descBatches   = desc("line_batches_open", "Batches that the waiting line has let in; absent without a line.", "route")

	admissionDescriptions = []*prometheus.Desc{descShed, descOnWay, descMostOnWay, descWaiting, descBatches}
)

// collectAdmission tells what a route lets in; nothing where that is everything.
func collectAdmission(ch chan<- prometheus.Metric, a *api.Admission) {
	if a == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, a.Route)
	}
	for _, why := range admission.Reasons() {
		ch <- prometheus.MustNewConstMetric(descShed, prometheus.CounterValue, float64(a.Refused[why.String()]), a.Route, why.String())
	}
	gauge(descOnWay, float64(a.OnWay))
	gauge(descMostOnWay, float64(a.Concurrency))
	if w := a.Line; w != nil {
		gauge(descWaiting, float64(w.Waiting))
		gauge(descBatches, float64(w.Open))
	}
}
