package plan

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

var (
	typeOfCheck   = reflect.TypeFor[Check]()
	typeOfExpect  = reflect.TypeFor[Expect]()
	typeOfNotices = reflect.TypeFor[NoticeSource]()
)

// common are the fields that every check has a use for; particular those of one
// kind, beside its own name.
var (
	common     = []string{"id", "name", "down", "of", "up", "nodes", "quorum", "every", "timeout", "slow", "expect"}
	particular = map[string][]string{
		"http": {
			"via", "method", "headers", "body", "auth", "trust", "expires_within", "expect.status", "expect.headers",
			"expect.body", "expect.not", "expect.json", "expect.equals", "expect.at_least", "expect.at_most",
		},
		"tcp":       {"secure", "trust", "expires_within", "expect.send", "expect.received"},
		"tls":       {"trust", "expires_within"},
		"dns":       {"server", "record", "expect.answer"},
		"icmp":      {},
		"sql":       {"dsn", "expect.equals", "expect.at_least", "expect.at_most"},
		"redis":     {"secure", "trust", "expires_within", "auth"},
		"smtp":      {"secure", "trust", "expires_within"},
		"websocket": {"via", "headers", "auth", "trust", "expires_within", "expect.send", "expect.received"},
		"flow":      {"via", "account", "trust", "expires_within"},
		"heartbeat": {"grace"},
		"log":       {"pattern", "unusual", "learn", "rate", "quiet", "encoding", "begins"},
		"host":      {"device", "over"},
	}
	// passive is what a check that only waits has no use for.
	passive = []string{"every", "timeout", "slow", "nodes", "quorum"}
	// sources are the fields of notices, as particular.
	sources = map[string][]string{
		"statuspage": {"url", "components", "trust", "auth"},
		"feed":       {"url", "trust", "auth"},
		"ical":       {"url", "zone", "trust", "auth"},
		"page":       {"url", "selector", "zone", "trust", "auth"},
		"mailbox":    {"server", "user", "folder", "from", "auth", "trust", "zone"},
	}
	ofNotices = []string{"id", "provider", "kind", "pattern", "about", "level", "every"}
	// written by the probe itself, or never to be written out.
	ownHeaders    = []string{"connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"}
	secretHeaders = []string{"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)

// mostAllowed bounds the private addresses of a plan: each of its checks is held
// to each of them.
const mostAllowed = 500

func (c *checker) checkTech() {
	t := c.plan.Tech
	if len(t.Allow) > mostAllowed {
		c.tech.Error(place(c.tech.places, "allow"), "plan.allow-many", "most", mostAllowed)
	}
	for i := range t.Checks {
		c.checkCheck(&t.Checks[i], fmt.Sprintf("checks[%d]", i))
	}
	for i := range t.Accounts {
		c.secret(&t.Accounts[i].Secret, fmt.Sprintf("accounts[%d].secret", i))
	}
	for i := range t.Scrape {
		where := fmt.Sprintf("scrape[%d]", i)
		c.secret(t.Scrape[i].Auth, where+".auth")
		c.trust(t.Scrape[i].Trust, where+".trust")
		c.timeout(t.Scrape[i].Timeout, t.Scrape[i].Every, where)
	}
	for i := range t.Notices {
		c.checkNotices(&t.Notices[i], fmt.Sprintf("notices[%d]", i))
	}
	for i := range t.Calendars {
		c.secret(t.Calendars[i].Auth, fmt.Sprintf("calendars[%d].auth", i))
		c.trust(t.Calendars[i].Trust, fmt.Sprintf("calendars[%d].trust", i))
	}
	c.checkSenders()
	c.checkBackups()
	c.checkUpgrades()
	for _, name := range slices.Sorted(maps.Keys(t.Measures)) {
		m, where := t.Measures[name], "measures."+name
		if c.tech.ReportedOn(place(c.tech.places, where).Line) {
			continue
		}
		choice(c.tech, where, "plan.measure-of", map[string]bool{"promql": m.Query != "", "relay": m.Relay != nil, "check": m.Check != ""})
		if m.Check == "" {
			c.useless(where, "figure", "plan.measure-field", "")
		}
	}
}

func (c *checker) checkCheck(check *Check, where string) {
	r := c.tech
	given := map[string]bool{}
	for _, k := range check.kinds() {
		given[k.name] = k.text != ""
	}
	if !r.ReportedOn(place(r.places, where).Line) {
		choice(r, where, "plan.check-of", given)
	}
	if check.Down > check.Of {
		r.Error(place(r.places, where+".down"), "plan.down-of", "down", check.Down, "of", check.Of)
	}
	kind := check.Kind()
	if kind != "" && kind != "heartbeat" {
		c.timeout(check.Timeout, check.Every, where)
	}
	for _, need := range []struct {
		kind, field string
		lacks       bool
	}{
		{"sql", "dsn", check.SQL != "" && check.DSN == nil}, {"dns", "server", check.DNS != "" && check.Server == ""},
		{"host", "over", check.Host != "" && check.Over == 0},
		{"log", "pattern", check.Log != "" && check.Pattern == "" && check.Unusual == ""},
	} {
		c.needs(where, need.lacks, "plan.check-needs", need.kind, need.field)
	}
	if kind != "" {
		c.checkUseful(where, kind)
	}
	c.checkNodes(check, where)
	c.checkHeaders(check.Headers, where+".headers")
	e := &check.Expect
	if e.AtLeast != nil && e.AtMost != nil && *e.AtLeast > *e.AtMost {
		r.Error(place(r.places, where+".expect.at_most"), "plan.bounds")
	}
	if bounded := e.Equals != "" || e.AtLeast != nil || e.AtMost != nil; kind == "http" {
		c.needs(where+".expect", bounded && e.JSON == "", "plan.check-needs", "http", "json")
	}
	c.secret(check.DSN, where+".dsn")
	c.secret(check.Auth, where+".auth")
	c.trust(check.Trust, where+".trust")
}

// checkUseful reports fields that the check's kind has no use for: whoever wrote
// them believes that something is looked at that nobody looks at.
func (c *checker) checkUseful(where, kind string) {
	for i := range typeOfCheck.NumField() {
		c.checkField(where, kind, typeOfCheck.Field(i).Tag.Get("yaml"))
	}
	for i := range typeOfExpect.NumField() {
		c.checkField(where, kind, "expect."+typeOfExpect.Field(i).Tag.Get("yaml"))
	}
}

func (c *checker) checkField(where, kind, field string) {
	if _, other := particular[field]; other {
		return // of two kinds at once is told elsewhere
	}
	useful := slices.Contains(common, field) || slices.Contains(particular[kind], field)
	if !useful || kind == "heartbeat" && slices.Contains(passive, field) {
		c.useless(where, field, "plan.check-field", kind)
	}
}

func (c *checker) useless(where, field, id, kind string) {
	at, there := c.tech.places[where+"."+field]
	if there {
		c.tech.Error(at, id, "field", field, "kind", kind)
	}
}

// checkNodes holds a quorum to its nodes; more than half is the default.
func (c *checker) checkNodes(check *Check, where string) {
	r := c.tech
	seen := map[string]bool{"": false}
	for i, name := range check.Nodes {
		if seen[name] {
			at := place(r.places, fmt.Sprintf("%s.nodes[%d]", where, i))
			r.Error(at, "plan.twice", "id", name, "line", at.Line)
		}
		seen[name] = name != ""
	}
	if check.Quorum > int64(max(len(check.Nodes), 1)) {
		r.Error(place(r.places, where+".quorum"), "plan.quorum", "quorum", check.Quorum, "nodes", max(len(check.Nodes), 1))
	}
}

func (c *checker) checkHeaders(headers map[string]*Header, where string) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		h, at, lower := headers[name], place(c.tech.places, where+"."+name), strings.ToLower(name)
		switch {
		case slices.Contains(ownHeaders, lower):
			c.tech.Error(at, "plan.header-own", "name", name)
		case seen[lower] != "":
			c.tech.Error(at, "plan.header-twice", "name", name, "first", seen[lower])
		case slices.Contains(secretHeaders, lower) && h.Text != "":
			c.tech.Error(at, "plan.header-secret", "name", name)
		case !c.tech.ReportedOn(at.Line):
			choice(c.tech, where+"."+name, "plan.secret-of", map[string]bool{"text": h.Text != "", "secret": h.Secret != "", "env": h.Env != "", "file": h.File != ""})
		}
		seen[lower] = name
	}
}

func (c *checker) checkNotices(n *NoticeSource, where string) {
	for _, field := range []struct {
		name  string
		lacks bool
	}{
		{"url", n.Kind != "mailbox" && n.URL == ""}, {"server", n.Kind == "mailbox" && n.Server == ""},
		{"user", n.Kind == "mailbox" && n.User == ""}, {"auth", n.Kind == "mailbox" && n.Auth == nil},
	} {
		c.needs(where, n.Kind != "" && field.lacks, "plan.notices-need", n.Kind, field.name)
	}
	if known := sources[n.Kind]; known != nil {
		for i := range typeOfNotices.NumField() {
			field := typeOfNotices.Field(i).Tag.Get("yaml")
			if !slices.Contains(known, field) && !slices.Contains(ofNotices, field) {
				c.useless(where, field, "plan.notices-field", n.Kind)
			}
		}
	}
	c.secret(n.Auth, where+".auth")
	c.trust(n.Trust, where+".trust")
}

func (c *checker) timeout(timeout, every time.Duration, where string) {
	if timeout > every && every > 0 {
		c.tech.Error(place(c.tech.places, where+".timeout"), "plan.timeout-every", "timeout", brief(timeout), "every", brief(every))
	}
}

func (c *checker) needs(where string, lacks bool, id, kind, field string) {
	if lacks && !c.tech.ReportedOn(place(c.tech.places, where).Line) {
		c.tech.Error(place(c.tech.places, where), id, "kind", kind, "field", field)
	}
}

func (c *checker) secret(s *Secret, where string) {
	at, there := c.tech.places[where]
	if s == nil || !there || c.tech.ReportedOn(at.Line) {
		return
	}
	choice(c.tech, where, "plan.secret-of", map[string]bool{"secret": s.Secret != "", "env": s.Env != "", "file": s.File != ""})
}

func (c *checker) trust(t *Trust, where string) {
	if t != nil && (t.Certificate == "") != (t.Key == "") {
		c.tech.Error(place(c.tech.places, where), "plan.trust-pair")
	}
}
