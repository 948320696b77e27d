package control

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/binding"
	"holdfast/internal/controlconfig"
	"holdfast/internal/measure"
	"holdfast/internal/measure/host"
	"holdfast/internal/measure/promapi"
	"holdfast/internal/measure/remotewrite"
	"holdfast/internal/measure/scrape"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
)

// looksEvery is how often this machine and the relays are measured.
const looksEvery = 15 * time.Second

// openMeasures opens the node's own store of measures: each node has one, as each
// looks for itself.
func (n *Node) openMeasures(context.Context) error {
	settings := n.o.Config.Metrics
	senders, err := n.senders(settings.RemoteWrite)
	if err != nil {
		return err
	}
	n.measures, err = measure.Open(measure.Options{
		Dir: filepath.Join(n.o.Config.Data, "measures"), Retention: settings.Retention, Log: n.log,
		Also: func(samples []measure.Sample) {
			for _, s := range senders {
				_ = s.Append(context.Background(), samples) // it only queues
			}
		},
	})
	if err != nil {
		return err
	}
	n.stack.push(func(context.Context) error { return n.measures.Close() })
	for _, s := range senders {
		n.background(s.Run)
	}
	n.background(n.measureHost)
	n.background((&readers{node: n, into: n.measures, relays: n.relayTargets}).run)
	n.api.Measures = &measuresDesk{n}
	n.api.Prometheus = promapi.New(n.measures, n.o.Version, time.Now)
	return n.registry.Register(measuresCollector{n.measures, senders})
}

// senders are those to whom measures are sent on.
func (n *Node) senders(all []controlconfig.RemoteWrite) ([]*remotewrite.Writer, error) {
	var out []*remotewrite.Writer
	guard := outgoing.New(outgoing.NewPolicy(n.o.Config.Outgoing...), nil)
	for _, to := range all {
		client := guard.Client(outgoing.Options{Idle: 1})
		if to.Token != nil {
			source, ref := n.o.Config.Source(), *to.Token
			client.Transport = &bearing{client.Transport, func() (string, error) {
				token, err := source.Resolve(ref)
				return "Bearer " + token.Reveal(), err
			}}
		}
		out = append(out, remotewrite.New(remotewrite.Options{URL: to.URL, Labels: map[string]string{"holdfast_node": n.name}}, client, n.log))
	}
	return out, nil
}

// bearing adds credentials to each request as they are then.
type bearing struct {
	http.RoundTripper

	authorization func() (string, error)
}

func (b *bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	value, err := b.authorization()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", value)
	return b.RoundTripper.RoundTrip(r)
}

func (n *Node) measureHost(ctx context.Context) {
	n.every(ctx, looksEvery, func(ctx context.Context) error {
		samples, missing := host.Read(ctx, n.name, time.Now())
		if missing != nil && ctx.Err() == nil {
			n.log.Debug("some figures of this machine can't be read", "error", missing)
		}
		return n.measures.Append(ctx, samples)
	})
}

// target is an endpoint with the way to it.
type target struct {
	scrape.Target

	client      *http.Client
	fingerprint string // two that have the same are the same
}

// relayTargets are the metrics of the node's relays.
func (n *Node) relayTargets() []target {
	var out []target
	for _, r := range n.o.Config.Relays {
		client := n.relayClient(r)
		out = append(out, target{
			Target: scrape.Target{Job: binding.RelayJob, Instance: r.ID, URL: r.Admin + "/metrics", Every: looksEvery},
			client: client, fingerprint: "relay " + r.ID,
		})
	}
	return out
}

// planTargets are the endpoints that plans name.
func (n *Node) planTargets(plans []*plan.Plan) []target {
	var out []target
	source := n.o.Config.Source()
	for _, p := range plans {
		for _, s := range binding.Scrapes(p) {
			policy := outgoing.NewPolicy(n.o.Config.Outgoing...).Narrow(s.Allow...)
			client := outgoing.New(policy, nil).Client(outgoing.Options{Body: s.Bytes, Idle: 1})
			if s.Trust != nil {
				client.Transport = &securing{n, *s.Trust, func(trust *tls.Config) http.RoundTripper {
					return outgoing.New(policy, nil).Transport(outgoing.Options{Body: s.Bytes, Fresh: true, TLS: trust})
				}}
			}
			if s.Auth != nil {
				client.Transport = &bearing{client.Transport, source.Later(refOf(s.Auth))}
			}
			t := scrape.Target{
				Job: s.Job, Instance: s.Instance, URL: s.URL, Every: s.Every, Timeout: s.Timeout, MaxBytes: s.Bytes, MaxSamples: s.Samples,
			}
			out = append(out, target{t, client, s.Fingerprint()})
		}
	}
	return out
}

// securing secures each request with the certificates that there are then: one that
// comes late or is renewed holds from the next request on.
type securing struct {
	node  *Node
	trust plan.Trust
	by    func(*tls.Config) http.RoundTripper
}

func (s *securing) RoundTrip(r *http.Request) (*http.Response, error) {
	config, err := s.node.trusting(s.trust, r.URL.Hostname())
	if err != nil {
		return nil, err
	}
	return s.by(config).RoundTrip(r)
}

// readers read all endpoints, and follow what the plans say.
type readers struct {
	node   *Node
	into   scrape.Appender
	relays func() []target

	running map[string]func() // by fingerprint: ends it
}

func (r *readers) run(ctx context.Context) {
	r.running = map[string]func(){}
	var all sync.WaitGroup
	defer all.Wait()
	followPlans(ctx, r.node.plansNow, func(plans []*plan.Plan) {
		r.set(ctx, &all, append(r.relays(), r.node.planTargets(plans)...))
	})
}

func (r *readers) set(ctx context.Context, all *sync.WaitGroup, targets []target) {
	wanted := map[string]bool{}
	for _, t := range targets {
		if wanted[t.fingerprint] {
			continue
		}
		wanted[t.fingerprint] = true
		if r.running[t.fingerprint] != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		r.running[t.fingerprint] = stop
		s := scrape.New(t.Target, t.client, r.into, r.node.log.With(slog.String("url", t.URL)))
		all.Go(func() { s.Run(ctx) })
	}
	for fingerprint, stop := range r.running {
		if !wanted[fingerprint] {
			stop()
			delete(r.running, fingerprint)
		}
	}
}

// measuresCollector shows how the store of measures fares.
type measuresCollector struct {
	db      *measure.DB
	senders []*remotewrite.Writer
}

var (
	measuresSeries  = prometheus.NewDesc("holdfast_measures_series", "Series that are written to.", nil, nil)
	measuresBytes   = prometheus.NewDesc("holdfast_measures_bytes", "Bytes of blocks of measures on disk.", nil, nil)
	measuresFull    = prometheus.NewDesc("holdfast_measures_full", "1 while nothing is written as the disk is full.", nil, nil)
	measuresDropped = prometheus.NewDesc("holdfast_measures_dropped_total", "Samples that were not written, by why.", []string{"why"}, nil)
	sentWaiting     = prometheus.NewDesc("holdfast_remote_write_waiting", "Samples that wait to be sent on.", []string{"to"}, nil)
	sentSamples     = prometheus.NewDesc("holdfast_remote_write_samples_total", "Samples by what became of sending them on.", []string{"to", "what"}, nil)
)

// Describe implements prometheus.Collector.
func (measuresCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{measuresSeries, measuresBytes, measuresFull, measuresDropped, sentWaiting, sentSamples} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c measuresCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.db.Stats()
	full := 0.0
	if s.Full {
		full = 1
	}
	ch <- prometheus.MustNewConstMetric(measuresSeries, prometheus.GaugeValue, float64(s.Series))
	ch <- prometheus.MustNewConstMetric(measuresBytes, prometheus.GaugeValue, float64(s.Bytes))
	ch <- prometheus.MustNewConstMetric(measuresFull, prometheus.GaugeValue, full)
	for why, dropped := range map[string]uint64{"late": s.Late, "early": s.Early, "too_many": s.TooMany, "no_space": s.NoSpace, "invalid": s.Invalid} {
		ch <- prometheus.MustNewConstMetric(measuresDropped, prometheus.CounterValue, float64(dropped), why)
	}
	for i, w := range c.senders {
		to, s := strconv.Itoa(i+1), w.Stats()
		ch <- prometheus.MustNewConstMetric(sentWaiting, prometheus.GaugeValue, float64(s.Waiting), to)
		ch <- prometheus.MustNewConstMetric(sentSamples, prometheus.CounterValue, float64(s.Sent), to, "sent")
		ch <- prometheus.MustNewConstMetric(sentSamples, prometheus.CounterValue, float64(s.Dropped), to, "dropped")
	}
}
