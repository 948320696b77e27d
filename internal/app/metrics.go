package app

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/internal/continuity"
	"holdfast/internal/health"
	"holdfast/internal/journal"
	"holdfast/internal/relay"
)

const namespace = "holdfast_relay_"

// metrics counts what happens; what stands is collected when it is asked for.
type metrics struct {
	app      *App
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	checked  *prometheus.CounterVec
	took     *prometheus.HistogramVec
	entries  prometheus.Counter
	appended prometheus.Histogram
	failed   prometheus.Counter

	unrouted seriesTable
}

// outcomes are all that a request can come to.
var outcomes = [...]relay.What{relay.Passed, relay.Held, relay.Late, relay.Repeated, relay.Refused, relay.Cut, relay.Diverted, relay.Stale, relay.Maintenance, relay.Blocked, relay.Shed}

// seriesTable resolves a route's series by outcome and class of status, so that
// a request costs no look-up by labels.
type seriesTable [len(outcomes) + 1][6]atomic.Pointer[series]

type series struct {
	requests prometheus.Counter
	took     prometheus.Observer
}

func newMetrics(a *App) *metrics {
	m := &metrics{
		app: a, registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + "requests_total",
			Help: "Requests of clients, by how they ended and the class of the status they got."}, []string{"route", "outcome", "class"}),
		checked: prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + "check_requests_total",
			Help: "Requests of checks that bear a good mark, which count nowhere else, by how they ended and the class of the status they got."}, []string{"route", "outcome", "class"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + "request_seconds",
			Help: "Time from a request's head to the end of its answer.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}},
			[]string{"route", "outcome"}),
		entries: prometheus.NewCounter(prometheus.CounterOpts{Name: namespace + "journal_entries_total", Help: "Entries put on stable storage."}),
		appended: prometheus.NewHistogram(prometheus.HistogramOpts{Name: namespace + "journal_sync_seconds",
			Help: "Time to write and sync one batch.", Buckets: []float64{.00002, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: namespace + "journal_failures_total", Help: "Batches that could not be put on stable storage."}),
	}
	m.registry.MustRegister(m.requests, m.checked, m.took, m.entries, m.appended, m.failed, standing{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Observe implements relay.Observer.
func (m *metrics) Observe(route string, what relay.What, status int, took time.Duration) {
	l := m.app.lane(route)
	table := &m.unrouted
	if l != nil {
		table = &l.seen
	}
	outcome := slices.Index(outcomes[:], what) + 1 // 0: one that is not known here
	class := status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	s := table[outcome][class].Load()
	if s == nil {
		s = &series{m.requests.WithLabelValues(route, string(what), classOf(status)), m.took.WithLabelValues(route, string(what))}
		table[outcome][class].Store(s)
	}
	s.requests.Inc()
	s.took.Observe(took.Seconds())
	if l != nil && (what == relay.Passed || what == relay.Held || what == relay.Late || what == relay.Cut) {
		l.meter.Asked()
	}
	if l != nil && (what == relay.Passed || what == relay.Late || what == relay.Cut) {
		l.meter.Live(status >= 500 || what != relay.Passed)
	}
}

// Checked implements relay.Observer.
func (m *metrics) Checked(route string, what relay.What, status int) {
	m.checked.WithLabelValues(route, string(what), classOf(status)).Inc()
}

func classOf(status int) string {
	if class := status / 100; class >= 1 && class <= 5 {
		return strconv.Itoa(class) + "xx"
	}
	return "none"
}

// meteredLog measures what the journal does.
type meteredLog struct {
	journal.Log
	metrics *metrics
}

// Erase has what some entries hold erased.
func (l *meteredLog) Erase(at []continuity.Position, change func(journal.Stored) ([]byte, error)) error {
	files, ok := l.Log.(*journal.Files)
	if !ok {
		return continuity.E(continuity.CodeInternal, nil)
	}
	return files.Erase(at, change)
}

// Extents tells where the segments are.
func (l *meteredLog) Extents() []journal.Extent {
	files, ok := l.Log.(*journal.Files)
	if !ok {
		return nil
	}
	return files.Extents()
}

// Append implements journal.Log.
func (l *meteredLog) Append(batch []journal.Entry) ([]continuity.Position, error) {
	began := time.Now()
	at, err := l.Log.Append(batch)
	if err != nil {
		l.metrics.failed.Inc()
		return at, err
	}
	l.metrics.appended.Observe(time.Since(began).Seconds())
	l.metrics.entries.Add(float64(len(batch)))
	return at, nil
}

// standing collects what stands at the moment.
type standing struct{ m *metrics }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

var (
	descReady      = desc("ready", "1 while requests are served.")
	descKeyless    = desc("keyless", "1 without a usable master key: everything passes and nothing is held.")
	descLatched    = desc("latched", "1 after a failed sync: nothing is accepted or replayed.")
	descLastGood   = desc("config_last_good", "1 while the last good configuration is used because the file is bad.")
	descReloads    = desc("config_reloads_total", "Reloads of the configuration, by result.", "result")
	descJournal    = desc("journal_bytes", "Size of the journal, and what it may still take.", "kind")
	descKeys       = desc("gate_keys", "Keys with pending records.")
	descViewLag    = desc("view_lag_seconds", "For how long the view has not shown everything.")
	descViewUp     = desc("view_up", "1 while the view can be read and goes on.")
	descEnded      = desc("records_total", "Records, by what became of them; accepted is all.", "route", "what")
	descUnrecorded = desc("unrecorded_total", "Requests that passed though they should have been recorded first.", "route")
	descAmount     = desc("amount", "What records are worth, by state.", "route", "currency", "state")
	descBacklog    = desc("backlog_records", "Records that are pending or dead, by state.", "route", "state")
	descBytes      = desc("backlog_bytes", "Size of pending records.", "route")
	descOldest     = desc("backlog_oldest_seconds", "Age of the oldest pending record, in running time.", "route")
	descBalanced   = desc("ledger_balanced", "1 while accepted = ended + pending.", "route")
	descMode       = desc("mode", "1 for the mode that the route is in.", "route", "mode")
	descHealth     = desc("health", "1 for the state that the upstream is in.", "route", "state")
	descRate       = desc("drain_rate", "Kept records ended a second.", "route")
	descAllowed    = desc("drain_allowed", "Kept records that the ramp allows a second.", "route")
	descInFlight   = desc("drain_in_flight", "Kept records at the upstream.", "route")
	descLive       = desc("live_rate", "Live requests sent upstream a second.", "route")
	descCapacity   = desc("capacity", "Requests a second that the upstream is taken to bear.", "route")
	descForecast   = desc("drain_forecast_seconds", "When the drain is expected to end; absent if it is not.", "route")
	descExpiry     = desc("drain_expires_first", "1 if the oldest record would be too old before its turn.", "route")
	descHooks      = desc("webhook_ends_total", "Ends of records by what became of telling them: told, given_up, lost.", "route", "what")
	descTries      = desc("webhook_failures_total", "Tries to tell an end that failed.", "route")
	descUntold     = desc("webhook_waiting", "Ends that have been read and not yet told.", "route")
	descFailing    = desc("webhook_failing_seconds", "For how long no try has got through; 0 if the last one did.", "route")
	descGone       = desc("webhook_gone", "1 after the endpoint answered 410: nothing is told until its URL changes.", "route")
	descriptions   = []*prometheus.Desc{descHooks, descTries, descUntold, descFailing, descGone, descReady, descKeyless, descLatched, descLastGood, descReloads, descJournal, descKeys, descViewLag, descViewUp, descEnded, descUnrecorded, descAmount, descBacklog, descBytes, descOldest, descBalanced, descMode, descHealth, descRate, descAllowed, descInFlight, descLive, descCapacity, descForecast, descExpiry}
	modes          = []continuity.Mode{continuity.ModeObserve, continuity.ModePass, continuity.ModeHold, continuity.ModeDivert, continuity.ModeReply, continuity.ModeBlock, continuity.ModeShed, continuity.ModeDrain, continuity.ModeLatched, continuity.ModeKeyless}
	healthStates   = []health.State{health.Up, health.Down, health.Trial}
)

// Describe implements prometheus.Collector.
func (standing) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range append(descriptions, admissionDescriptions...) {
		ch <- d
	}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Collect implements prometheus.Collector.
func (s standing) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	a := s.m.app
	gauge(descReady, one(a.Ready() == nil))
	if a.Ready() != nil {
		return
	}
	status, err := (&desk{a}).status()
	if err != nil {
		return
	}
	gauge(descKeyless, one(a.keyless != nil))
	gauge(descLatched, one(status.Journal.Latched))
	gauge(descLastGood, one(status.Config.LastGood))
	counter(descReloads, status.Config.Reloads, "applied")
	counter(descReloads, status.Config.Failures, "refused")
	if a.keyless == nil {
		gauge(descJournal, float64(status.Journal.Used), "used")
		gauge(descJournal, float64(status.Journal.Free), "free")
		gauge(descKeys, float64(status.Journal.Keys))
		gauge(descViewLag, status.View.Lag)
		gauge(descViewUp, one(status.View.Open && status.View.Error == ""))
	}
	for _, r := range status.Routes {
		n, id := r.Counters, r.ID
		counter(descEnded, n.Accepted, id, "accepted")
		counter(descEnded, n.DeliveredAtOnce, id, "delivered_at_once")
		counter(descEnded, n.DeliveredAfterDoubt, id, "delivered_after_doubt")
		counter(descEnded, n.Refused, id, "refused")
		counter(descEnded, n.Discarded, id, "discarded")
		counter(descEnded, n.Recorded, id, "recorded")
		counter(descUnrecorded, r.Unrecorded, id)
		for _, m := range n.Amounts {
			for state, text := range map[string]string{"pending": m.Pending, "accepted": m.Accepted, "refused": m.Refused, "dead": m.Dead} {
				v, _ := strconv.ParseFloat(text, 64) // a metric is for looking at; the books are exact
				gauge(descAmount, v, id, m.Currency, state)
			}
		}
		gauge(descBacklog, float64(n.Queued), id, "queued")
		gauge(descBacklog, float64(n.Attempting), id, "attempting")
		gauge(descBacklog, float64(n.InDoubt), id, "in-doubt")
		gauge(descBacklog, float64(n.Parked), id, "parked")
		gauge(descBacklog, float64(n.Dead), id, "dead")
		gauge(descBytes, float64(n.PendingBytes), id)
		gauge(descOldest, n.Oldest, id)
		gauge(descBalanced, one(n.Balanced), id)
		for _, mode := range modes {
			gauge(descMode, one(r.Mode == mode), id, string(mode))
		}
		for _, state := range healthStates {
			gauge(descHealth, one(r.Health == state.String()), id, state.String())
		}
		gauge(descRate, r.Drain.Rate, id)
		gauge(descAllowed, r.Drain.Allowed, id)
		gauge(descInFlight, float64(r.Drain.InFlight), id)
		gauge(descLive, r.Drain.Live, id)
		gauge(descCapacity, r.Drain.Capacity, id)
		gauge(descExpiry, one(r.Drain.ExpireFirst), id)
		collectAdmission(ch, r.Admission)
		if r.Drain.Forecast {
			gauge(descForecast, r.Drain.Ends, id)
		}
		if h := r.Webhook; h != nil {
			counter(descHooks, h.Told, id, "told")
			counter(descHooks, h.GivenUp, id, "given_up")
			counter(descHooks, h.Lost, id, "lost")
			counter(descTries, h.Failed, id)
			gauge(descUntold, float64(h.Waiting), id)
			gauge(descFailing, h.Failing, id)
			gauge(descGone, one(h.Gone), id)
		}
	}
}
