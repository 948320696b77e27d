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
		f.Error(fallback(doc.Journal.Size.At, doc.Journal.Segment.At), "config.journal-small",
			"size", doc.Journal.Size.Text, "segment", doc.Journal.Segment.Text)
	}
	if len(doc.Routes) > maxRoutes {
		f.Error(doc.Routes[maxRoutes].At, "config.too-many-routes", "max", maxRoutes)
		return
	}
	checkChecks(f, &doc.Checks)
	ids, flows := map[string]int{}, make([]flow, 0, len(doc.Routes))
	for i := range doc.Routes {
		r := &doc.Routes[i]
		if line, twice := ids[r.ID.V]; twice && r.ID.V != "" {
			f.Error(r.ID.At, "config.route-twice", "id", r.ID.V, "line", line)
		} else {
			ids[r.ID.V] = r.ID.At.Line
		}
		checkRoute(f, doc, r)
		flows = append(flows, flowOf(r))
		checkShadow(f, flows)
	}
}

func checkAddresses(f *findings, doc *document) {
	admin := doc.Admin.Listen.V
	if admin != "" && !loopback(admin) {
		f.Error(doc.Admin.Listen.At, "config.admin-open", "value", admin)
	}
	for i := range doc.Listen {
		if l := &doc.Listen[i].Address; same(l.V, admin) {
			f.Error(fallback(doc.Admin.Listen.At, l.At), "config.same-address", "value", l.V)
		}
	}
	for i := range doc.Routes {
		r := &doc.Routes[i]
		host := upstreamHost(r.Upstream.V)
		if slices.ContainsFunc(doc.Listen, func(l listenBlock) bool { return same(l.Address.V, host) }) {
			f.Error(r.Upstream.At, "config.upstream-self", "value", host, "field", "listen")
		} else if same(admin, host) {
			f.Error(r.Upstream.At, "config.upstream-self", "value", host, "field", "admin.listen")
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
	if settle := r.settle(); r.Settle.Set && settle > 0 && settle < r.Timeouts.Attempt.V {
		f.Error(r.Settle.At, "config.settle-short", "settle", r.Settle.Text, "attempt", r.Timeouts.Attempt.Text)
	}
}

// checkHold holds a route that keeps requests to all that it must declare.
func checkHold(f *findings, r *routeBlock) {
	for _, m := range r.Hold.Methods.Items {
		switch {
		case safe(m.V):
			f.Error(m.At, "config.hold-safe", "method", m.V)
		case r.Match.Methods.Set && !slices.Contains(r.Match.Methods.Values(), m.V):
			f.Error(m.At, "config.hold-unmatched", "method", m.V, "methods", r.Match.Methods.Values())
		}
	}
	if r.Hold.State.V != "on" {
		return
	}
	at := r.Hold.State.At
	for _, need := range []struct {
		name, example string
		set           bool
	}{
		{"key", "key: json:/order_no", r.Key.Set},
		{"idempotency", "idempotency: {by: key, remembers: 72h}", r.Idempotency.Set},
		{"caller", "caller: public", r.Caller.Set},
		{"answer", "answer: {status: 202}", r.Answer.Set},
	} {
		if !need.set {
			f.Error(at, "config.hold-needs."+need.name, "id", r.ID.V, "example", need.example)
		}
	}
	if len(r.holdMethods()) == 0 && !r.Hold.Methods.Set {
		f.Error(at, "config.hold-nothing", "id", r.ID.V)
	}
	if r.Idempotency.By.V == "none" && !r.Idempotency.Decides.Set && !r.Idempotency.Lookup.Set {
		f.Error(r.Idempotency.By.At, "config.doubt-undecided")
	}
	if r.Idempotency.By.V == "key" && r.Idempotency.Remembers.V > 0 && r.Idempotency.Remembers.V < r.Hold.Age.V {
		f.Warning(r.Idempotency.Remembers.At, "config.remembers-short",
			"remembers", r.Idempotency.Remembers.Text, "age", r.Hold.Age.Text)
	}
	bodiless := func(m string) bool { return m == "DELETE" || safe(m) }
	held := r.holdMethods()
	if r.Key.V.Source == continuity.SourceJSON && len(held) > 0 && !slices.ContainsFunc(held, func(m string) bool { return !bodiless(m) }) {
		f.Warning(r.Key.At, "config.key-bodiless", "methods", held)
	}
}

func checkIdentity(f *findings, r *routeBlock) {
	id := &r.Idempotency
	switch id.By.V {
	case "key":
		if !id.Remembers.Set {
			f.Error(id.By.At, "config.remembers-missing")
		}
	case "natural", "none":
		if id.Remembers.Set {
			f.Warning(id.Remembers.At, "config.no-effect", "field", "idempotency.remembers", "by", id.By.V)
		}
		if id.SavesErrors.Set {
			f.Warning(id.SavesErrors.At, "config.no-effect", "field", "idempotency.saves_errors", "by", id.By.V)
		}
	}
	if id.Decides.Set && id.By.V != "none" && id.By.V != "" {
		f.Warning(id.Decides.At, "config.no-effect", "field", "idempotency.decides", "by", id.By.V)
	}
}

func checkLimits(f *findings, doc *document, r *routeBlock) {
	h := &r.Hold
	if h.Count.V > doc.Limits.Count.V && doc.Limits.Count.V > 0 && (h.Count.Set || doc.Limits.Count.Set) {
		f.Warning(fallback(h.Count.At, doc.Limits.Count.At), "config.above",
			"field", "hold.count", "value", h.Count.Text, "limit", "limits.count", "most", doc.Limits.Count.Text)
	}
	if h.Bytes.V > doc.Journal.Size.V && doc.Journal.Size.V > 0 && (h.Bytes.Set || doc.Journal.Size.Set) {
		f.Warning(fallback(h.Bytes.At, doc.Journal.Size.At), "config.above",
			"field", "hold.bytes", "value", h.Bytes.Text, "limit", "journal.size", "most", doc.Journal.Size.Text)
	}
	for _, most := range []struct {
		limit, text string
		bytes       int64
		at          place
	}{
		{"hold.bytes", h.Bytes.Text, h.Bytes.V, h.Bytes.At},
		{"limits.live", doc.Limits.Live.Text, doc.Limits.Live.V, doc.Limits.Live.At},
		{"journal.segment", doc.Journal.Segment.Text, doc.Journal.Segment.V, doc.Journal.Segment.At},
	} {
		if h.Item.V > most.bytes && most.bytes > 0 {
			f.Error(fallback(h.Item.At, most.at), "config.item-above",
				"value", h.Item.Text, "limit", most.limit, "most", most.text)
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
		for _, item := range l.list.Items {
			for _, c := range claims {
				if c.name != l.name && item.V.Low <= c.High && c.Low <= item.V.High {
					f.Error(item.At, "config.outcome-twice", "value", item.Text,
						"field", "outcome."+l.name, "other", "outcome."+c.name)
					break
				}
			}
		}
		for _, item := range l.list.Items {
			claims = append(claims, claim{l.name, item.V})
		}
	}
}

func checkReconcile(f *findings, r *routeBlock) {
	rec := &r.Reconcile
	if !rec.Set {
		return
	}
	needed := []struct {
		field string
		set   bool
		by    bool // this driver's
	}{
		{"dsn", rec.DSN.Set, rec.Driver.V != "http"},
		{"query", rec.Query.Set, rec.Driver.V != "http"},
		{"url", rec.URL.Set, rec.Driver.V == "http"},
		{"pages", rec.Pages.Set, rec.Driver.V == "http"},
	}
	for _, n := range needed {
		switch {
		case !rec.Driver.Set: // which is an error of its own
		case n.by && !n.set:
			f.Error(rec.At, "config.reconcile-needs", "field", n.field, "driver", rec.Driver.V)
		case !n.by && n.set:
			f.Error(rec.At, "config.reconcile-other", "field", n.field, "driver", rec.Driver.V)
		}
	}
	if rec.Token.Set && rec.Token.File.Set == rec.Token.Env.Set {
		f.Error(rec.Token.At, "config.token-form", "field", "reconcile.token")
	}
	if rec.Pages.Cursor.Set && !rec.Pages.Next.Set {
		f.Error(rec.Pages.Cursor.At, "config.pages-cursor")
	}
	if rec.DSN.Set {
		given := 0
		for _, set := range []bool{rec.DSN.File.Set, rec.DSN.Env.Set, rec.DSN.Value.Set} {
			if set {
				given++
			}
		}
		if given != 1 && !f.ReportedOn(rec.DSN.At.Line) {
			f.Error(rec.DSN.At, "config.dsn-form", "field", "reconcile.dsn")
		}
		if rec.DSN.Value.Set && hasPassword(rec.DSN.Value.V) {
			f.Error(rec.DSN.Value.At, "config.secret", "field", "reconcile.dsn.value")
		}
	}
	r.checkCompared(f, rec.At, rec.Methods)
}

// checkCompared checks what every comparison of records with a list needs.
func (r *routeBlock) checkCompared(f *findings, at place, methods list[string]) {
	if r.Key.V.Source == continuity.SourceNone {
		f.Error(at, "config.reconcile-keyless")
	}
	for _, m := range methods.Items {
		if m.At.Line > 0 && !slices.Contains(r.holdMethods(), m.V) {
			f.Error(m.At, "config.reconcile-method", "method", m.V, "methods", r.holdMethods())
		}
	}
}

func checkSettlement(f *findings, r *routeBlock) {
	s := &r.Settlement
	if !s.Set {
		return
	}
	if s.Currency.Set && s.Code.Set {
		f.Error(s.Code.At, "config.settlement-currency")
	}
	if s.Net.Set && !s.Fee.Set {
		f.Error(s.Net.At, "config.settlement-net")
	}
	r.checkCompared(f, s.At, s.Methods)
}
