package doctor

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
)

const dialTime = 2 * time.Second

// ports finds out whether the listening addresses are free, or ours already.
func ports(ctx context.Context, c *config.Relay) []Finding {
	running, pid := ours(ctx, c)
	check := func(id, address string) Finding {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", address)
		switch {
		case err == nil:
			_ = l.Close()
			return finding(id, OK, "free", "address", address)
		case running:
			return finding(id, OK, "ours", "address", address, "pid", pid)
		default:
			return finding(id, Fail, "taken", "address", address, "cause", err.Error())
		}
	}
	var out []Finding
	for _, l := range c.Listeners {
		out = append(out, check("listen", l.Address))
	}
	return append(out, check("admin", c.AdminListen))
}

// ours reports whether a relay of this data folder answers.
func ours(ctx context.Context, c *config.Relay) (bool, int) {
	at, err := endpoint.Read(c.DataDir, endpoint.Relay)
	if err != nil {
		return false, 0
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Address+"/healthz", nil)
	if err != nil {
		return false, 0
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return false, 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK, at.PID
}

// upstreams only warns: the relay is there for the time when they are down.
func upstreams(ctx context.Context, c *config.Relay) []Finding {
	var out []Finding
	for i := range c.Routes {
		r := &c.Routes[i]
		u, err := url.Parse(r.Upstream)
		if err != nil {
			continue // the configuration has been checked
		}
		address := u.Host
		if u.Port() == "" {
			address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		}
		d := net.Dialer{Timeout: dialTime}
		start := time.Now()
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			out = append(out, finding("upstream", Warn, unreachable(c, r), "route", r.ID, "address", address, "cause", err.Error()))
			continue
		}
		_ = conn.Close()
		out = append(out, finding("upstream", OK, "fine", "route", r.ID, "address", address, "took", short(time.Since(start))))
	}
	return out
}

// unreachable tells findings apart by what happens to requests meanwhile.
func unreachable(c *config.Relay, r *continuity.Route) string {
	switch {
	case key(c).Level != OK:
		return "unreachable-keyless"
	case r.Hold.State != continuity.HoldOn:
		return "unreachable-observe"
	default:
		return "unreachable"
	}
}
