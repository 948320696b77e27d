package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// maxRoutes bounds the routes of one relay, which looks at them in turn.
const maxRoutes = 1000

// check reports what the fields say together. A field that could not be read
// is the zero value here, and has been reported already.
func check(f *findings, doc *document) {
	checkAddresses(f, doc)
	checkListeners(f, doc)
	if doc.Journal.Segment.V > 0 && doc.Journal.Size.V > 0 && doc.Journal.Size.V < 4*doc.Journal.Segment.V {
		f.error(fallback(doc.Journal.Size.at, doc.Journal.Segment.at), "config.journal-small",
			"size", doc.Journal.Size.text, "segment", doc.Journal.Segment.text)
	}
	if len(doc.Routes) > maxRoutes {
		f.error(doc.Routes[maxRoutes].at, "config.too-many-routes", "max", maxRoutes)
		return
	}
	ids, flows := map[string]int{}, make([]flow, 0, len(doc.Routes))
	for i := range doc.Routes {
		r := &doc.Routes[i]
		if line, twice := ids[r.ID.V]; twice && r.ID.V != "" {
			f.error(r.ID.at, "config.route-twice", "id", r.ID.V, "line", line)
		} else {
			ids[r.ID.V] = r.ID.at.line
		}
		checkRoute(f, doc, r)
		flows = append(flows, flowOf(r))
		checkShadow(f, flows)
	}
}

func checkAddresses(f *findings, doc *document) {
	admin := doc.Admin.Listen.V
	if admin != "" && !loopback(admin) {
		f.error(doc.Admin.Listen.at, "config.admin-open", "value", admin)
	}
	for i := range doc.Listen {
		if l := &doc.Listen[i].Address; same(l.V, admin) {
			f.error(fallback(doc.Admin.Listen.at, l.at), "config.same-address", "value", l.V)
		}
	}
	for i := range doc.Routes {
		r := &doc.Routes[i]
		host := upstreamHost(r.Upstream.V)
		if slices.ContainsFunc(doc.Listen, func(l listenBlock) bool { return same(l.Address.V, host) }) {
			f.error(r.Upstream.at, "config.upstream-self", "value", host, "field", "listen")
		} else if same(admin, host) {
			f.error(r.Upstream.at, "config.upstream-self", "value", host, "field", "admin.listen")
		}
	}
}

// loopback reports whether an address can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// same reports whether two addresses would meet on one port. Port 0 asks for
// any free one and meets nothing.
func same(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	every := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return strings.EqualFold(hostA, hostB) || loopback(a) && loopback(b) ||
		every(hostA) && (every(hostB) || loopback(b)) || every(hostB) && loopback(a)
}

func checkRoute(f *findings, doc *document, r *routeBlock) {
	checkHold(f, r)
	checkIdentity(f, r)
	checkBooks(f, r)
	checkLimits(f, doc, r)
	checkOutcome(f, r)
	checkOutcomeBody(f, &r.Outcome.Body)
	checkLoose(f, r)
	checkLookup(f, r)
	checkSign(f, r)
	checkWebhook(f, &r.Receipt.Webhook)
	checkReconcile(f, r)
	checkSettlement(f, r)
	checkUpstreamTLS(f, r)
	checkTrust(f, r)
	checkMint(f, r)
	checkAdmission(f, r)
	checkModes(f, doc, r)
	if settle := r.settle(); r.Settle.set && settle > 0 && settle < r.Timeouts.Attempt.V {
		f.error(r.Settle.at, "config.settle-short", "settle", r.Settle.text, "attempt", r.Timeouts.Attempt.text)
	}
}

// checkHold holds a route that keeps requests to all that it must declare.
func checkHold(f *findings, r *routeBlock) {
	for _, m := range r.Hold.Methods.items {
		switch {
		case safe(m.V):
			f.error(m.at, "config.hold-safe", "method", m.V)
		case r.Match.Methods.set && !slices.Contains(r.Match.Methods.values(), m.V):
			f.error(m.at, "config.hold-unmatched", "method", m.V, "methods", r.Match.Methods.values())
		}
	}
	if r.Hold.State.V != "on" {
		return
	}
	at := r.Hold.State.at
	for _, need := range []struct {
		name, example string
		set           bool
	}{
		{"key", "key: json:/order_no", r.Key.set},
		{"idempotency", "idempotency: {by: key, remembers: 72h}", r.Idempotency.set},
		{"caller", "caller: public", r.Caller.set},
		{"answer", "answer: {status: 202}", r.Answer.set},
	} {
		if !need.set {
			f.error(at, "config.hold-needs."+need.name, "id", r.ID.V, "example", need.example)
		}
	}
	if len(r.holdMethods()) == 0 && !r.Hold.Methods.set {
		f.error(at, "config.hold-nothing", "id", r.ID.V)
	}
	if r.Idempotency.By.V == "none" && !r.Idempotency.Decides.set && !r.Idempotency.Lookup.set {
		f.error(r.Idempotency.By.at, "config.doubt-undecided")
	}
	if r.Idempotency.By.V == "key" && r.Idempotency.Remembers.V > 0 && r.Idempotency.Remembers.V < r.Hold.Age.V {
		f.warning(r.Idempotency.Remembers.at, "config.remembers-short",
			"remembers", r.Idempotency.Remembers.text, "age", r.Hold.Age.text)
	}
	bodiless := func(m string) bool { return m == "DELETE" || safe(m) }
	held := r.holdMethods()
	if r.Key.V.Source == continuity.SourceJSON && len(held) > 0 && !slices.ContainsFunc(held, func(m string) bool { return !bodiless(m) }) {
		f.warning(r.Key.at, "config.key-bodiless", "methods", held)
	}
}

func checkIdentity(f *findings, r *routeBlock) {
	id := &r.Idempotency
	switch id.By.V {
	case "key":
		if !id.Remembers.set {
			f.error(id.By.at, "config.remembers-missing")
		}
	case "natural", "none":
		if id.Remembers.set {
			f.warning(id.Remembers.at, "config.no-effect", "field", "idempotency.remembers", "by", id.By.V)
		}
		if id.SavesErrors.set {
			f.warning(id.SavesErrors.at, "config.no-effect", "field", "idempotency.saves_errors", "by", id.By.V)
		}
	}
	if id.Decides.set && id.By.V != "none" && id.By.V != "" {
		f.warning(id.Decides.at, "config.no-effect", "field", "idempotency.decides", "by", id.By.V)
	}
}

func checkLimits(f *findings, doc *document, r *routeBlock) {
	h := &r.Hold
	if h.Count.V > doc.Limits.Count.V && doc.Limits.Count.V > 0 && (h.Count.set || doc.Limits.Count.set) {
		f.warning(fallback(h.Count.at, doc.Limits.Count.at), "config.above",
			"field", "hold.count", "value", h.Count.text, "limit", "limits.count", "most", doc.Limits.Count.text)
	}
	if h.Bytes.V > doc.Journal.Size.V && doc.Journal.Size.V > 0 && (h.Bytes.set || doc.Journal.Size.set) {
		f.warning(fallback(h.Bytes.at, doc.Journal.Size.at), "config.above",
			"field", "hold.bytes", "value", h.Bytes.text, "limit", "journal.size", "most", doc.Journal.Size.text)
	}
	for _, most := range []struct {
		limit, text string
		bytes       int64
		at          place
	}{
		{"hold.bytes", h.Bytes.text, h.Bytes.V, h.Bytes.at},
		{"limits.live", doc.Limits.Live.text, doc.Limits.Live.V, doc.Limits.Live.at},
		{"journal.segment", doc.Journal.Segment.text, doc.Journal.Segment.V, doc.Journal.Segment.at},
	} {
		if h.Item.V > most.bytes && most.bytes > 0 {
			f.error(fallback(h.Item.at, most.at), "config.item-above",
				"value", h.Item.text, "limit", most.limit, "most", most.text)
			return
		}
	}
}

// checkOutcome reports a status that two lists claim.
func checkOutcome(f *findings, r *routeBlock) {
	type claim struct {
		name string
		continuity.StatusRange
	}
	var claims []claim
	for _, l := range []struct {
		name string
		list *list[continuity.StatusRange]
	}{
		{"delivered", &r.Outcome.Delivered}, {"retry", &r.Outcome.Retry}, {"refused", &r.Outcome.Refused},
		{"clean", &r.Outcome.Clean}, {"lost", &r.Outcome.Lost},
	} {
		for _, item := range l.list.items {
			for _, c := range claims {
				if c.name != l.name && item.V.Low <= c.High && c.Low <= item.V.High {
					f.error(item.at, "config.outcome-twice", "value", item.text,
						"field", "outcome."+l.name, "other", "outcome."+c.name)
					break
				}
			}
		}
		for _, item := range l.list.items {
			claims = append(claims, claim{l.name, item.V})
		}
	}
}

func checkReconcile(f *findings, r *routeBlock) {
	rec := &r.Reconcile
	if !rec.set {
		return
	}
	needed := []struct {
		field string
		set   bool
		by    bool // this driver's
	}{
		{"dsn", rec.DSN.set, rec.Driver.V != "http"},
		{"query", rec.Query.set, rec.Driver.V != "http"},
		{"url", rec.URL.set, rec.Driver.V == "http"},
		{"pages", rec.Pages.set, rec.Driver.V == "http"},
	}
	for _, n := range needed {
		switch {
		case !rec.Driver.set: // which is an error of its own
		case n.by && !n.set:
			f.error(rec.at, "config.reconcile-needs", "field", n.field, "driver", rec.Driver.V)
		case !n.by && n.set:
			f.error(rec.at, "config.reconcile-other", "field", n.field, "driver", rec.Driver.V)
		}
	}
	if rec.Token.set && rec.Token.File.set == rec.Token.Env.set {
		f.error(rec.Token.at, "config.token-form", "field", "reconcile.token")
	}
	if rec.Pages.Cursor.set && !rec.Pages.Next.set {
		f.error(rec.Pages.Cursor.at, "config.pages-cursor")
	}
	if rec.DSN.set {
		given := 0
		for _, set := range []bool{rec.DSN.File.set, rec.DSN.Env.set, rec.DSN.Value.set} {
			if set {
				given++
			}
		}
		if given != 1 && !f.reportedOn(rec.DSN.at.line) {
			f.error(rec.DSN.at, "config.dsn-form", "field", "reconcile.dsn")
		}
		if rec.DSN.Value.set && hasPassword(rec.DSN.Value.V) {
			f.error(rec.DSN.Value.at, "config.secret", "field", "reconcile.dsn.value")
		}
	}
	r.checkCompared(f, rec.at, rec.Methods)
}

// checkCompared checks what every comparison of records with a list needs.
func (r *routeBlock) checkCompared(f *findings, at place, methods list[string]) {
	if r.Key.V.Source == continuity.SourceNone {
		f.error(at, "config.reconcile-keyless")
	}
	for _, m := range methods.items {
		if m.at.line > 0 && !slices.Contains(r.holdMethods(), m.V) {
			f.error(m.at, "config.reconcile-method", "method", m.V, "methods", r.holdMethods())
		}
	}
}

func checkSettlement(f *findings, r *routeBlock) {
	s := &r.Settlement
	if !s.set {
		return
	}
	if s.Currency.set && s.Code.set {
		f.error(s.Code.at, "config.settlement-currency")
	}
	if s.Net.set && !s.Fee.set {
		f.error(s.Net.at, "config.settlement-net")
	}
	r.checkCompared(f, s.at, s.Methods)
}

// reportedOn reports whether a line has an error already, of which another
// would only be the echo.
func (f *findings) reportedOn(line int) bool {
	return slices.ContainsFunc(f.problems, func(p Problem) bool { return p.Line == line && p.Severity == Error })
}
