package binding

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/watch/probe/kinds"
	"holdfast/internal/yamldoc"
)

// Order is a check of a plan with all that is needed to look at it anywhere. It
// goes to probe nodes as JSON; secrets in it are references, which each node
// resolves among its own.
type Order struct {
	ID      string        `json:"id"` // service/check
	Service string        `json:"service"`
	Check   *plan.Check   `json:"check"`            // of the plan, which has thousands
	Script  string        `json:"script,omitempty"` // of a flow
	Account *plan.Account `json:"account,omitempty"`
	Direct  string        `json:"direct,omitempty"` // the upstream past the relay, instead of the address's host
	Allow   []string      `json:"allow,omitempty"`  // private addresses that the plan names
}

// Orders are the checks of a plan that can be looked at.
func Orders(p *plan.Plan) []Order {
	if p.Tech == nil {
		return nil
	}
	var all []Order
	for i := range p.Tech.Checks {
		c := &p.Tech.Checks[i]
		if kinds.All[c.Kind()] == nil {
			continue
		}
		o := Order{ID: p.ID + "/" + c.ID, Service: p.ID, Check: c, Allow: p.Tech.Allow}
		if c.Flow != "" {
			o.Script = p.Files[c.Flow]
			timed := *c
			timed.Timeout = flowTime(p, i, o.Script)
			o.Check = &timed
		}
		for n := range p.Tech.Accounts {
			if a := &p.Tech.Accounts[n]; a.ID == c.Account {
				o.Account = a
			}
		}
		if c.Via == "direct" && c.HTTP != "" {
			o.Direct = upstreamOf(p.Tech.Routes, c.HTTP)
		}
		all = append(all, o)
	}
	return all
}

// upstreamOf is what stands behind the route of the relay that takes an address;
// nothing where no route of the plan does.
func upstreamOf(routes []plan.Route, address string) string {
	to, err := url.Parse(address)
	if err != nil {
		return ""
	}
	for i := range routes {
		m := &routes[i].Match
		host := len(m.Host) == 0 || slices.ContainsFunc(m.Host, func(h string) bool { return strings.EqualFold(h, to.Hostname()) })
		path := len(m.Path) == 0 || slices.ContainsFunc(m.Path, func(p string) bool { return pathMatches(p, to.Path) })
		if host && path {
			return routes[i].Upstream
		}
	}
	return ""
}

// pathMatches reads a route's pattern as the relay does: * is one part, ** any
// number of them.
func pathMatches(pattern, path string) bool {
	var expression strings.Builder
	for i, part := range strings.Split(strings.TrimPrefix(pattern, "/"), "/") {
		switch {
		case part == "**":
			expression.WriteString("(/.*)?")
		case i >= 0:
			expression.WriteString("/" + strings.ReplaceAll(regexp.QuoteMeta(part), `\*`, "[^/]*"))
		}
	}
	matched, err := regexp.MatchString("^"+expression.String()+"$", path)
	return err == nil && matched
}

// Fingerprint changes with all that the order says.
func (o Order) Fingerprint() string {
	return fingerprintOf(o)
}

// fingerprintOf changes with all that a value of strings and numbers says.
func fingerprintOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // of strings and numbers: it can be written
	}
	h := fnv.New64a()
	_, _ = h.Write(text)
	return strconv.FormatUint(h.Sum64(), 36)
}

// Every is how often it is looked at. Who waits for a beat looks often enough to
// notice in time that it is late.
func (o Order) Every() time.Duration {
	if o.Check.Heartbeat > 0 {
		return min(max(o.Check.Heartbeat/10, time.Second), 30*time.Second)
	}
	return o.Check.Every
}

// Closer reports whether a first bad look is followed by another one soon: where it
// asks something. A heartbeat is waited for; lines of a log and a machine's figures
// are counted from one look to the next.
func (o Order) Closer() bool {
	switch o.Check.Kind() {
	case "heartbeat", "log", "host":
		return false
	}
	return true
}

// Judged is how it is judged, on a node that looks itself where the plan names
// no others.
func (o Order) Judged(node string) watch.Judged {
	nodes, lag := o.Check.Nodes, 3*time.Second // results wait for each other, and for the network
	if len(nodes) == 0 || o.Check.Heartbeat > 0 {
		nodes, lag = []string{node}, time.Second
	}
	return watch.Judged{
		ID: o.ID, Service: o.Service, Every: o.Every(), Timeout: o.Check.Timeout, Lag: lag, Nodes: nodes, Quorum: int(o.Check.Quorum), Fingerprint: o.Fingerprint(),
		Rule: watch.Rule{Down: int(o.Check.Down), Of: int(o.Check.Of), Up: int(o.Check.Up)},
	}
}

// Spec is what a probe is made of. later fetches a secret when it is needed.
func (o Order) Spec(later func(secret.Ref) func() (string, error)) (probe.Spec, error) {
	c := o.Check
	s := probe.Spec{
		ID: o.ID, Kind: c.Kind(), Timeout: c.Timeout, Slow: c.Slow, Expires: length(c.Expires), Every: o.Every(),
		Method: c.Method, Body: c.Body, Server: c.Server, Record: c.Record, TLS: c.Secure,
		DSN: fetch(c.DSN, later), Auth: fetch(c.Auth, later), Script: o.Script,
	}
	switch s.Kind {
	case "heartbeat":
		s.Every, s.Grace = c.Heartbeat, c.Grace
	case "flow":
		if f, _ := flow.Parse(o.ID, []byte(o.Script)); f != nil && c.Via == "direct" {
			s.Target = f.Direct
		}
	case "log":
		if err := logSpec(c, &s); err != nil {
			return s, err
		}
	case "host":
		s.Target, s.Device, s.Over = c.Host, c.Device, c.Over
	default:
		s.Target = target(c)
	}
	if o.Account != nil {
		s.User, s.Auth = o.Account.User, fetch(&o.Account.Secret, later)
	}
	for name, h := range c.Headers {
		if h.Text != "" {
			s.Headers = put(s.Headers, name, h.Text)
		} else {
			s.Hidden = put(s.Hidden, name, fetch(&plan.Secret{Secret: h.Secret, Env: h.Env, File: h.File}, later))
		}
	}
	if o.Direct != "" {
		past, host, err := direct(c.HTTP, o.Direct)
		if err != nil {
			return s, err
		}
		s.Target = past
		if s.Headers["Host"] == "" {
			s.Headers = put(s.Headers, "Host", host)
		}
	}
	if t := c.Trust; t != nil {
		s.Trust = Trust(*t, later)
	}
	var err error
	s.Expect, err = expect(&c.Expect)
	return s, err
}

func put[V any](m map[string]V, name string, v V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[name] = v
	return m
}

func fetch(s *plan.Secret, later func(secret.Ref) func() (string, error)) probe.Secret {
	if s == nil {
		return nil
	}
	return probe.Secret(later(refOf(s)))
}

func refOf(s *plan.Secret) secret.Ref { return secret.Ref{Name: s.Secret, Env: s.Env, File: s.File} }

// Trust is what a plan says of certificates. later fetches them when they are
// needed.
func Trust(t plan.Trust, later func(secret.Ref) func() (string, error)) probe.Trust {
	trust := probe.Trust{Name: t.Name}
	if t.CA != "" {
		trust.CA = later(secret.Ref{Certificate: t.CA})
	}
	if t.Certificate != "" {
		trust.Certificate = later(secret.Ref{Certificate: t.Certificate})
	}
	if t.Key != "" {
		trust.Key = later(secret.Ref{File: t.Key})
	}
	return trust
}

func target(c *plan.Check) string {
	for _, text := range []string{c.HTTP, c.TCP, c.TLS, c.DNS, c.ICMP, c.SQL, c.Redis, c.SMTP, c.WebSocket} {
		if text != "" {
			return text
		}
	}
	return ""
}

// direct is an address with the upstream in the relay's place; the system behind
// still sees the host that clients name.
func direct(address, upstream string) (past, host string, err error) {
	to, err := url.Parse(address)
	if err != nil {
		return "", "", err
	}
	behind, err := url.Parse(upstream)
	if err != nil {
		return "", "", err
	}
	host = to.Host
	to.Scheme, to.Host = behind.Scheme, behind.Host
	return to.String(), host, nil
}

func expect(e *plan.Expect) (probe.Expect, error) {
	x := probe.Expect{
		JSON: e.JSON, Value: probe.Bounds{AtLeast: e.AtLeast, AtMost: e.AtMost}, Answer: e.Answer, Send: e.Send, Received: e.Received,
	}
	if e.Equals != "" {
		x.Equals = &e.Equals
	}
	for _, text := range e.Status {
		first, last := text, text
		if hundred, ok := strings.CutSuffix(text, "xx"); ok {
			first, last = hundred+"00", hundred+"99"
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			return x, err
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			return x, err
		}
		x.Status = append(x.Status, probe.StatusRange{First: from, Last: to})
	}
	var err error
	if x.Body, err = pattern(e.Body); err != nil {
		return x, err
	}
	if x.Not, err = pattern(e.Not); err != nil {
		return x, err
	}
	for name, text := range e.Headers {
		is, err := pattern(text)
		if err != nil {
			return x, err
		}
		x.Headers = put(x.Headers, name, is)
	}
	return x, nil
}

func pattern(text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	return regexp.Compile(text)
}

// place is where a check leads, as far as it can be said without looking a name
// up.
type place struct {
	field, host string
	port        uint16
}

// places are those of a check of a plan, the one past the relay included.
func places(o Order) []place {
	c := o.Check
	var all []place
	add := func(field, host, port string) {
		n, _ := strconv.ParseUint(port, 10, 16)
		all = append(all, place{field, strings.Trim(host, "[]"), uint16(n)})
	}
	web := func(field, text string) {
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			port := u.Port()
			if port == "" {
				port = map[string]string{"http": "80", "ws": "80"}[u.Scheme]
			}
			if port == "" {
				port = "443"
			}
			add(field, u.Hostname(), port)
		}
	}
	if o.Direct != "" {
		web("via", o.Direct)
	} else {
		web("http", c.HTTP)
	}
	web("websocket", c.WebSocket)
	web("flow", flowBase(o))
	for field, text := range map[string]string{"tcp": c.TCP, "tls": c.TLS, "redis": c.Redis, "smtp": c.SMTP, "server": c.Server} {
		if host, port, err := net.SplitHostPort(text); err == nil {
			add(field, host, port)
		}
	}
	if c.ICMP != "" {
		add("icmp", c.ICMP, "")
	}
	return all
}

// checkChecks reports what can't be looked at.
func checkChecks(p *plan.Plan, r *Report) {
	if p.Tech == nil {
		return
	}
	for i, text := range p.Tech.Allow {
		if _, err := outgoing.ParseRule(text); err != nil {
			r.Tech(fmt.Sprintf("allow[%d]", i), "watch.plan-allow", "rule", text)
		}
	}
	index := indexOf(p)
	for _, o := range Orders(p) {
		where := index[o.Check.ID]
		if o.Check.WebSocket != "" {
			if u, err := url.Parse(o.Check.WebSocket); err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" || u.User != nil {
				r.Tech(where+".websocket", "watch.plan-websocket")
				continue
			}
		}
		for _, at := range places(o) {
			address, err := netip.ParseAddr(at.host)
			if err != nil {
				continue // a name: what it leads to is judged when it is dialled
			}
			// What the plan itself does not name is refused whatever the node allows.
			everything := outgoing.NewPolicy(anywhere...).Narrow(o.Allow...)
			if everything.Check(at.host, address, at.port) != nil {
				id := "watch.plan-never"
				if outgoing.PrivateAddress(address) {
					id = "watch.plan-private"
				}
				r.Tech(where+"."+at.field, id, "address", at.host)
			}
		}
	}
}

var anywhere, _ = outgoing.Rules("0.0.0.0/0", "::/0")

func indexOf(p *plan.Plan) map[string]string {
	index := map[string]string{}
	for i, c := range p.Tech.Checks {
		index[c.ID] = fmt.Sprintf("checks[%d]", i)
	}
	return index
}

// Refused reports the checks of a plan that a node's own outgoing rules don't let
// out, as far as that can be said before names are looked up.
func Refused(p *plan.Plan, node outgoing.Policy) []yamldoc.Problem {
	r := newReport(p)
	if p.Tech != nil {
		index := indexOf(p)
		for _, o := range Orders(p) {
			if len(o.Check.Nodes) > 0 {
				continue // others look, by rules of their own
			}
			for _, at := range places(o) {
				if !node.Might(at.host, at.port) {
					rule := net.JoinHostPort(at.host, strconv.Itoa(int(at.port)))
					if at.port == 0 { // a ping has none
						rule = at.host
					}
					r.Tech(index[o.Check.ID]+"."+at.field, "watch.plan-outgoing", "host", at.host, "port", int(at.port), "rule", rule)
				}
			}
		}
	}
	return r.problems()
}
