// Package dns asks one name server for one record of one name.
package dns

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"holdfast/internal/watch/probe"
)

// New reads Target (a name), Server (host:port), Record (A where it is not
// given) and Expect.Answer.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if _, _, err := net.SplitHostPort(spec.Server); err != nil {
		return nil, fmt.Errorf("watch: check %s: resolver: %w", spec.ID, err)
	}
	if spec.Record == "" {
		spec.Record = "A"
	}
	kind, ok := dns.StringToType[strings.ToUpper(spec.Record)]
	if _, valid := dns.IsDomainName(spec.Target); !ok || !valid || spec.Target == "" {
		return nil, fmt.Errorf("watch: check %s: no such record: %s %s", spec.ID, spec.Target, spec.Record)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome { return look(ctx, spec, tools, kind) }), nil
}

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools, kind uint16) probe.Outcome {
	answer, err := ask(ctx, spec, tools, kind, "udp")
	if err == nil && answer.Truncated {
		answer, err = ask(ctx, spec, tools, kind, "tcp")
	}
	switch {
	case err != nil:
		return probe.Error(ctx, err)
	case answer.Rcode != dns.RcodeSuccess:
		return probe.Down("watch.dns-status", "status", dns.RcodeToString[answer.Rcode])
	}
	var values []string
	for _, rr := range answer.Answer {
		if rr.Header().Rrtype == kind {
			values = append(values, value(rr))
		}
	}
	if len(values) == 0 {
		return probe.Down("watch.dns-empty", "record", spec.Record)
	}
	for _, want := range spec.Expect.Answer {
		if !slices.Contains(values, canonical(want)) {
			return probe.Down("watch.dns-lacks", "record", spec.Record, "answer", want)
		}
	}
	return probe.Outcome{Values: map[string]float64{"answers": float64(len(values))}}
}

func ask(ctx context.Context, spec probe.Spec, tools *probe.Tools, kind uint16, network string) (*dns.Msg, error) {
	conn, err := tools.Dial(ctx, network, spec.Server, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	question := new(dns.Msg).SetQuestion(dns.Fqdn(spec.Target), kind)
	question.SetEdns0(1232, false)
	client := dns.Client{Net: network, UDPSize: 1232, Timeout: spec.Timeout}
	answer, _, err := client.ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: conn.Conn, UDPSize: 1232})
	return answer, err
}

// value is a record without its head: the address, name or text that a plan
// would write.
func value(rr dns.RR) string {
	if txt, ok := rr.(*dns.TXT); ok {
		return canonical(strings.Join(txt.Txt, ""))
	}
	return canonical(strings.TrimPrefix(rr.String(), rr.Header().String()))
}

func canonical(text string) string { return strings.ToLower(strings.TrimSuffix(text, ".")) }
