// Package redis looks at Redis servers: PING is answered, and INFO says that
// the data is loaded and a replica has its master. A client library with its
// pools would be more than these three commands need.
package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"holdfast/internal/watch/probe"
)

// New reads Target (host:port), TLS and Auth (a password, or user:password).
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if _, _, err := net.SplitHostPort(spec.Target); err != nil {
		return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome { return look(ctx, spec, tools) }), nil
}

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools) probe.Outcome {
	conn, err := tools.Dial(ctx, "tcp", spec.Target, spec.TLS)
	if err != nil {
		return probe.Error(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	c := &client{conn, bufio.NewReader(io.LimitReader(conn, probe.MaxRead))}
	if spec.Auth != nil {
		secret, err := spec.Auth()
		if err != nil {
			return probe.NoSecret(err)
		}
		words := []string{"AUTH", secret}
		if user, password, ok := strings.Cut(secret, ":"); ok {
			words = []string{"AUTH", user, password}
		}
		if _, err := c.do(words...); err != nil {
			return failed(ctx, err)
		}
	}
	pong, err := c.do("PING")
	if err != nil {
		return failed(ctx, err)
	}
	if pong != "PONG" {
		return probe.Down("watch.redis-talk")
	}
	info, err := c.do("INFO")
	if err != nil {
		return failed(ctx, err)
	}
	facts := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	o := probe.Outcome{CertExpires: probe.Expiry(conn.State), Values: map[string]float64{}}
	for _, name := range []string{"connected_clients", "used_memory", "maxmemory", "connected_slaves", "rdb_last_bgsave_time_sec", "uptime_in_seconds"} {
		if v, err := strconv.ParseFloat(facts[name], 64); err == nil {
			o.Values[name] = v
		}
	}
	switch {
	case facts["loading"] == "1":
		o.State, o.Reason = loading().State, loading().Reason
	case facts["role"] == "slave" && facts["master_link_status"] != "up":
		alone := probe.Degraded("watch.redis-alone")
		o.State, o.Reason = alone.State, alone.Reason
	}
	return o
}

func loading() probe.Outcome { return probe.Degraded("watch.redis-loading") }

// refusal is an error that the server answers with: its first word.
type refusal string

func (r refusal) Error() string { return "redis: " + string(r) }

func failed(ctx context.Context, err error) probe.Outcome {
	var said refusal
	if !errors.As(err, &said) {
		if errors.Is(err, errTalk) {
			return probe.Down("watch.redis-talk")
		}
		return probe.Error(ctx, err)
	}
	switch said {
	case "LOADING":
		return loading()
	case "NOAUTH", "WRONGPASS", "NOPERM":
		return probe.Down("watch.login")
	}
	return probe.Down("watch.redis-talk")
}

var errTalk = errors.New("redis: no RESP")

type client struct {
	to   io.Writer
	from *bufio.Reader
}

// do sends a command and reads a simple, bulk or error reply.
func (c *client) do(words ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(c.to, b.String()); err != nil {
		return "", err
	}
	line, err := c.from.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errTalk
	}
	switch rest := line[1:]; line[0] {
	case '+':
		return rest, nil
	case '-':
		word, _, _ := strings.Cut(rest, " ")
		return "", refusal(word)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > probe.MaxRead {
			return "", errTalk
		}
		body := make([]byte, n+2)
		if _, err := io.ReadFull(c.from, body); err != nil {
			return "", err
		}
		return string(body[:n]), nil
	}
	return "", errTalk
}
