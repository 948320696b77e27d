// Package kinds is the one table of the kinds of check. A new kind is a package
// and a line here.
package kinds

import (
	"fmt"

	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/dns"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/watch/probe/heartbeat"
	"holdfast/internal/watch/probe/host"
	"holdfast/internal/watch/probe/http"
	"holdfast/internal/watch/probe/icmp"
	"holdfast/internal/watch/probe/log"
	"holdfast/internal/watch/probe/redis"
	"holdfast/internal/watch/probe/smtp"
	"holdfast/internal/watch/probe/sql"
	"holdfast/internal/watch/probe/tcp"
	"holdfast/internal/watch/probe/tls"
	"holdfast/internal/watch/probe/websocket"
)

// All makes probes by the name of their kind.
var All = map[string]func(probe.Spec, *probe.Tools) (probe.Probe, error){
	"dns":       dns.New,
	"flow":      flow.New,
	"heartbeat": heartbeat.New,
	"host":      host.New,
	"http":      http.New,
	"icmp":      icmp.New,
	"log":       log.New,
	"redis":     redis.New,
	"smtp":      smtp.New,
	"sql":       sql.New,
	"tcp":       tcp.New,
	"tls":       tls.New,
	"websocket": websocket.New,
}

// New makes a probe of the kind that its spec names.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	make, ok := All[spec.Kind]
	if !ok {
		return nil, fmt.Errorf("watch: check %s: there is no kind %q", spec.ID, spec.Kind)
	}
	own, err := tools.Trusting(spec.Trust)
	if err != nil {
		return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
	}
	return make(spec, own)
}
