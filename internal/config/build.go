package config

import (
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// build turns a checked document into a configuration.
func build(doc *document, dir string) *Relay {
	data := resolve(dir, doc.Data.V)
	relay := &Relay{
		Listeners:     buildListeners(doc, dir),
		Transport:     continuity.Transport{Trusted: doc.trusted(), MakeTrace: doc.Trace.V == "make"},
		AdminListen:   doc.Admin.Listen.V,
		TokenFile:     filepath.Join(data, "admin.token"),
		DataDir:       data,
		JournalDir:    filepath.Join(data, "journal"),
		MasterKeyFile: filepath.Join(data, "master.key"),
		ViewFile:      filepath.Join(data, "view.db"),
		SegmentBytes:  doc.Journal.Segment.V,
		Limits: continuity.Limits{
			Count: doc.Limits.Count.V, Bytes: doc.Journal.Size.V, LiveBytes: doc.Limits.Live.V, Replies: doc.Limits.Replies.V,
			ConnsPerAddress: int(doc.Limits.ConnsPerAddress.V),
		},
	}
	relay.Approvals = doc.Approvals.build()
	if doc.Admin.Token.File.Set {
		relay.TokenFile = resolve(dir, doc.Admin.Token.File.V)
	}
	if doc.Master.File.Set {
		relay.MasterKeyFile = resolve(dir, doc.Master.File.V)
	}
	for i := range doc.Routes {
		r := buildRoute(&doc.Routes[i], dir)
		r.UpstreamTLS = buildUpstreamTLS(&doc.Routes[i].UpstreamTLS, dir)
		relay.Routes = append(relay.Routes, r)
	}
	return relay
}

func buildRoute(r *routeBlock, dir string) continuity.Route {
	out := continuity.Route{
		ID: r.ID.V,
		Match: continuity.Match{
			Hosts: r.Match.Host.Values(), Paths: r.Match.Path.Values(), Methods: r.Match.Methods.Values(),
		},
		Upstream: r.Upstream.V,
		Key:      r.Key.V,
		Identity: continuity.Identity{
			By: idempotents[r.Idempotency.By.V], Remembers: r.Idempotency.Remembers.V,
			SavesErrors: r.Idempotency.SavesErrors.V, Decides: r.Idempotency.Decides.V,
			Fields: r.Idempotency.Fields.Values(), Loose: r.Idempotency.Compare.V == "fields",
			Lookup: r.Idempotency.Lookup.build(),
		},
		Caller: r.Caller.name(), Verify: r.Caller.build(dir),
		Hold: continuity.Hold{
			Methods: r.holdMethods(), ItemBytes: r.Hold.Item.V,
			Count: r.Hold.Count.V, Bytes: r.Hold.Bytes.V, Age: r.Hold.Age.V,
			Credentials: r.Hold.Credentials.V == "true", Mint: r.minting(), State: holdStates[r.Hold.State.V], Share: r.Hold.Share.V,
			Amount: r.Hold.Amount.build(), SignedOff: r.Hold.SignedOff.build(),
		},
		Verdicts: continuity.Verdicts{
			Delivered: r.Outcome.Delivered.Values(), Retry: r.Outcome.Retry.Values(),
			Refused: r.Outcome.Refused.Values(), Clean: r.Outcome.Clean.Values(), Lost: r.Outcome.Lost.Values(),
			Body: r.Outcome.Body.build(),
		},
		Capacity: r.Capacity.V,
		Ramp: continuity.Ramp{
			Start: r.Ramp.Start.V, Window: r.Ramp.Window.V,
			Aggression: r.Ramp.Aggression.V, InFlight: int(r.Ramp.InFlight.V),
		},
		Timeouts:     r.Timeouts.built(),
		Moved:        r.Moved.Values(),
		Standby:      r.standby(),
		Reply:        r.reply(),
		Block:        r.blocks(),
		Settle:       r.settle(),
		Detect:       continuity.Detect{Losses: int(r.Detect.Losses.V), Within: r.Detect.Within.V, Follow: r.Detect.Follow.V},
		Poison:       continuity.Poison{Attempts: int(r.Poison.Attempts.V), Dead: r.Poison.Then.V == "dead"},
		KeepResponse: r.Receipt.Response.V,
		Rewrite:      r.Rewrite.build(),
		Sign:         r.Sign.build(),
		Webhook:      r.Receipt.Webhook.build(),
		Sensitive:    r.Sensitive.build(),
		Admission:    r.Admission.build(),
		Line:         r.Line.build(),
	}
	if then, ok := continuity.ParseIntake(r.Detect.Then.V); ok && then != continuity.IntakeHold {
		out.Detect.Then = then
	}
	for i := range r.Hold.Except {
		e := &r.Hold.Except[i]
		out.Hold.Except = append(out.Hold.Except, continuity.Except{Pointer: e.Pointer.V, In: e.In.Values()})
	}
	if r.Answer.Set {
		out.Answer = &continuity.Answer{
			Status: int(r.Answer.Status.V), Header: r.Answer.Headers.Items,
			ContentType: r.Answer.Type.V, Body: r.Answer.Body.V, Wait: r.Answer.Wait.V,
			Same: r.Answer.Repeat.V == "same",
		}
	}
	if r.Detect.Check.Set {
		c := &r.Detect.Check
		out.Detect.Path, out.Detect.Every = c.Path.V, c.Every.V
		out.Detect.Down, out.Detect.Up = int(c.Down.V), int(c.Up.V)
	}
	out.Priority = r.Priority.build()
	out.Record = continuity.Recording{Passed: r.Record.V == "all", Keep: r.Keep.V}
	out.Retention = r.Retention.V
	out.Reconcile, out.Settlement = buildReconcile(&r.Reconcile), buildSettlement(&r.Settlement)
	return out
}

var idempotents = map[string]continuity.Idempotent{
	"": continuity.IdempotentNone, "none": continuity.IdempotentNone,
	"key": continuity.IdempotentKey, "natural": continuity.IdempotentNatural,
}

// safe reports whether a method asks for nothing to be done; such requests are
// never held.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// holdMethods are those stated, or else the route's methods that do something.
func (r *routeBlock) holdMethods() []string {
	if r.Hold.Methods.Set {
		return r.Hold.Methods.Values()
	}
	candidates := methods
	if r.Match.Methods.Set {
		candidates = r.Match.Methods.Values()
	}
	return slices.DeleteFunc(slices.Clone(candidates), safe)
}

// settle is as stated, or else the route's longest time-out.
func (r *routeBlock) settle() time.Duration {
	if r.Settle.Set {
		return r.Settle.V
	}
	return max(r.Timeouts.Connect.V, r.Timeouts.Attempt.V)
}
