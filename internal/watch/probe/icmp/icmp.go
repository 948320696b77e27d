// Package icmp sends echo requests, from an unprivileged socket where the system
// grants one (net.ipv4.ping_group_range), else from a raw one.
package icmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"holdfast/internal/watch/probe"
)

// count of requests in a look; one that is lost is degraded, all are down.
const (
	count    = 3
	interval = 100 * time.Millisecond
)

// New reads Target (a name or an address). Its outgoing rule has no ports.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if spec.Target == "" {
		return nil, fmt.Errorf("watch: check %s: no host", spec.ID)
	}
	if spec.Timeout <= 0 {
		spec.Timeout = probe.DefaultTimeout
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome { return look(ctx, spec, tools) }), nil
}

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools) probe.Outcome {
	addresses, err := tools.Guard.Lookup(ctx, spec.Target, 0)
	if err != nil {
		return probe.Error(ctx, err)
	}
	to := &net.IPAddr{IP: addresses[0].AsSlice()}
	statistics, err := ping(ctx, to, spec.Timeout, false)
	if denied(err) {
		statistics, err = ping(ctx, to, spec.Timeout, true)
	}
	switch {
	case denied(err):
		return probe.Unknown("watch.no-ping")
	case err != nil:
		return probe.Error(ctx, err)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return probe.Failed(ctx.Err())
	}
	return judge(statistics)
}

func judge(statistics *probing.Statistics) probe.Outcome {
	o := probe.Outcome{}
	switch {
	case statistics.PacketsRecv == 0:
		return probe.Down("watch.no-echo")
	case statistics.PacketsRecv < statistics.PacketsSent:
		o = probe.Degraded("watch.lost-echo", "lost", statistics.PacketsSent-statistics.PacketsRecv, "sent", statistics.PacketsSent)
	}
	o.Values = map[string]float64{"loss": statistics.PacketLoss / 100, "rtt_seconds": statistics.AvgRtt.Seconds()}
	return o
}

func ping(ctx context.Context, to *net.IPAddr, limit time.Duration, raw bool) (*probing.Statistics, error) {
	pinger := probing.New("")
	pinger.SetIPAddr(to)
	pinger.SetPrivileged(raw)
	pinger.SetLogger(probing.NoopLogger{})
	pinger.Count, pinger.Interval, pinger.Timeout = count, interval, limit*9/10
	err := pinger.RunWithContext(ctx)
	return pinger.Statistics(), err
}

func denied(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPROTONOSUPPORT)
}
