package controlapi

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
)

// Checks is what is looked at, and what was found.
type Checks interface {
	Verdicts() []watch.Verdict
	Verdict(id string) (watch.Verdict, bool)
	About(id string) (CheckAbout, bool)
	Look(ctx context.Context, id string) (continuity.CheckResult, []probe.Phase, error)
	Services() []ServiceStatus
	Orders(node string) (orders []json.RawMessage, fingerprint string, err error)
	Report(ctx context.Context, node string, isolated bool, results []continuity.CheckResult) (counted int)
	Beat(ctx context.Context, actor continuity.Actor, check string, beat probe.Beat) error
}

// CheckAbout is what a plan says of a check.
type CheckAbout struct {
	Kind      string  `json:"kind"`
	Name      string  `json:"name,omitempty"`
	NameZh    string  `json:"name_zh,omitempty"`
	Every     float64 `json:"every_seconds"`
	Timeout   float64 `json:"timeout_seconds"`
	Down      int     `json:"down"` // so many ...
	Of        int     `json:"of"`   // ... of the last so many looks
	Up        int     `json:"up"`
	Quorum    int     `json:"quorum,omitempty"`
	Heartbeat float64 `json:"heartbeat_seconds,omitempty"`
	Skipped   uint64  `json:"skipped_looks"` // as the last one was still under way
}

// Check is a check and its verdict.
type Check struct {
	ID      string      `json:"id"` // service/check
	Service string      `json:"service"`
	State   string      `json:"state" enum:"up,degraded,down,unknown"`
	Since   time.Time   `json:"since"`
	Reason  *Reason     `json:"reason,omitempty"`
	Nodes   []CheckNode `json:"nodes" nullable:"false"`
	About   *CheckAbout `json:"about,omitempty"`
}

// Reason says why, by a code and in the caller's language.
type Reason struct {
	Code string         `json:"code"`
	Args map[string]any `json:"args,omitempty"`
	Step string         `json:"step,omitempty"`
	Text string         `json:"text"`
}

// CheckNode is what one node found last.
type CheckNode struct {
	Node     string             `json:"node"`
	State    string             `json:"state" enum:"up,degraded,down,unknown"`
	Isolated bool               `json:"isolated,omitempty"`
	Looked   *time.Time         `json:"looked,omitempty"`
	Found    string             `json:"found,omitempty"` // by the last look alone
	Seconds  float64            `json:"seconds,omitempty"`
	Reason   *Reason            `json:"reason,omitempty"`
	Values   map[string]float64 `json:"values,omitempty"`
	Expires  *time.Time         `json:"certificate_expires,omitempty"`
}

// CheckLook is a look that somebody asked for.
type CheckLook struct {
	CheckNode

	Phases []CheckPhase `json:"phases" nullable:"false"`
}

// CheckPhase is a step of a look and when it was over.
type CheckPhase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// ServiceStatus is how a service fares, by its checks.
type ServiceStatus struct {
	Service    string            `json:"service"`
	Name       string            `json:"name,omitempty"`
	NameZh     string            `json:"name_zh,omitempty"`
	Status     string            `json:"status" enum:"operational,degraded_performance,partial_outage,major_outage,unknown"`
	Components []ComponentStatus `json:"components" nullable:"false"`
}

// ComponentStatus is how a part of it fares.
type ComponentStatus struct {
	Component string `json:"component"`
	Name      string `json:"name,omitempty"`
	NameZh    string `json:"name_zh,omitempty"`
	Status    string `json:"status" enum:"operational,degraded_performance,partial_outage,major_outage,unknown"`
}

func registerChecks(s *server) {
	const one = "/api/v1/checks/{service}/{check}"
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/checks", ID: "listChecks", Scope: access.ChecksRead}, s.listChecks)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getCheck", Scope: access.ChecksRead}, s.getCheck)
	register(s, operation{Method: http.MethodPost, Path: one + "/look", ID: "lookNow", Scope: access.ChecksWrite}, s.lookNow)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/services", ID: "listServices", Scope: access.ChecksRead}, s.listServices)
	const beat = "/api/v1/heartbeats/{service}/{check}"
	register(s, operation{Method: http.MethodPost, Path: beat, ID: "beat", Scope: access.HeartbeatsWrite, Status: http.StatusNoContent}, s.beat)
	register(s, operation{Method: http.MethodGet, Path: beat, ID: "beatByGet", Scope: access.HeartbeatsWrite, Bearer: true, Status: http.StatusNoContent}, s.beat)
	s.mux.HandleFunc("HEAD "+beat, func(w http.ResponseWriter, _ *http.Request) { // which a GET would answer, too
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/probes/{node}/orders", ID: "getOrders", Scope: access.ProbesReport}, s.orders)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/probes/{node}/reports", ID: "report", Scope: access.ProbesReport, Body: 8 << 20}, s.probeReport)
}

// CheckID names a check.
type CheckID struct {
	Service string `path:"service" maxLength:"200"`
	Check   string `path:"check" maxLength:"200"`
}

func (c CheckID) id() string { return c.Service + "/" + c.Check }

func (s *server) listChecks(ctx context.Context, in *struct {
	Paging

	Service string `query:"service"`
	State   string `query:"state" enum:"up,degraded,down,unknown"`
}) (*list[Check], error) {
	all := slices.DeleteFunc(s.Checks.Verdicts(), func(v watch.Verdict) bool {
		return in.Service != "" && v.Service != in.Service || in.State != "" && string(v.State) != in.State
	})
	page, next := pageOf(all, func(v watch.Verdict) string { return v.Check }, in.Paging)
	items := make([]Check, len(page))
	for i, v := range page {
		items[i] = s.shownCheck(ctx, v)
	}
	return listOf(items, next), nil
}

func (s *server) getCheck(ctx context.Context, in *CheckID) (*plain[Check], error) {
	v, ok := s.Checks.Verdict(in.id())
	if !ok {
		return nil, NoCheck(in.id())
	}
	return &plain[Check]{s.shownCheck(ctx, v)}, nil
}

// NoCheck says that there is no check of this name.
func NoCheck(id string) error {
	return continuity.E(continuity.CodeNotFound, nil, problem.DetailID, "controlapi.no-check", "kind", "check", "id", id)
}

func (s *server) shownCheck(ctx context.Context, v watch.Verdict) Check {
	c := Check{ID: v.Check, Service: v.Service, State: string(v.State), Since: v.Since.UTC(), Reason: reasonOf(ctx, v.Reason), Nodes: []CheckNode{}}
	for _, n := range v.Nodes {
		shown := nodeOf(ctx, n.Last)
		shown.Node, shown.State, shown.Isolated = n.Node, string(n.State), n.Isolated
		c.Nodes = append(c.Nodes, shown)
	}
	if about, ok := s.Checks.About(v.Check); ok {
		c.About = &about
	}
	return c
}

func nodeOf(ctx context.Context, r continuity.CheckResult) CheckNode {
	n := CheckNode{Node: r.Node, State: string(r.State), Found: string(r.State), Seconds: r.Took.Seconds(), Reason: reasonOf(ctx, r.Reason), Values: r.Values}
	if !r.At.IsZero() {
		at := r.At.UTC()
		n.Looked = &at
	}
	if !r.CertExpires.IsZero() {
		at := r.CertExpires.UTC()
		n.Expires = &at
	}
	return n
}

func reasonOf(ctx context.Context, r continuity.CheckReason) *Reason {
	if r.Code == "" {
		return nil
	}
	return &Reason{Code: r.Code, Args: r.Args, Step: r.Step, Text: watch.Say(langOf(ctx), r)}
}

func (s *server) lookNow(ctx context.Context, in *CheckID) (*plain[CheckLook], error) {
	result, phases, err := s.Checks.Look(ctx, in.id())
	if err != nil {
		return nil, err
	}
	look := CheckLook{CheckNode: nodeOf(ctx, result), Phases: []CheckPhase{}}
	for _, p := range phases {
		look.Phases = append(look.Phases, CheckPhase{p.Name, p.After.Seconds()})
	}
	return &plain[CheckLook]{look}, nil
}

func (s *server) listServices(_ context.Context, in *struct{ Paging }) (*list[ServiceStatus], error) {
	return listOf(pageOf(s.Checks.Services(), func(s ServiceStatus) string { return s.Service }, in.Paging)), nil
}

func (s *server) beat(ctx context.Context, in *struct {
	CheckID

	Status  string  `query:"status" enum:"ok,failed" default:"ok"`
	Seconds float64 `query:"seconds" minimum:"0" maximum:"31536000"` // how long the job took
}) (*nothing, error) {
	beat := probe.Beat{At: s.Now(), Failed: in.Status == "failed", Took: time.Duration(in.Seconds * float64(time.Second))}
	return &nothing{}, s.Checks.Beat(ctx, actorOf(ctx), in.id(), beat)
}

// Orders is what a probe node is to look at.
type Orders struct {
	Fingerprint string            `json:"mark"`
	Unchanged   bool              `json:"unchanged,omitempty"` // since the fingerprint that was named
	Orders      []json.RawMessage `json:"orders" nullable:"false"`
}

func (s *server) orders(ctx context.Context, in *struct {
	Node  string `path:"node" maxLength:"100"`
	Known string `query:"mark" maxLength:"100"` // the fingerprint of what is known
}) (*plain[Orders], error) {
	if err := isNode(ctx, in.Node); err != nil {
		return nil, err
	}
	all, fingerprint, err := s.Checks.Orders(in.Node)
	if err != nil {
		return nil, err
	}
	if fingerprint == in.Known {
		return &plain[Orders]{Orders{Fingerprint: fingerprint, Unchanged: true, Orders: []json.RawMessage{}}}, nil
	}
	return &plain[Orders]{Orders{Fingerprint: fingerprint, Orders: append([]json.RawMessage{}, all...)}}, nil
}

// ProbeReport is what a probe node found.
type ProbeReport struct {
	Isolated bool          `json:"isolated,omitempty"` // it does not reach its anchors
	Results  []ProbeResult `json:"results" nullable:"false" maxItems:"20000"`
}

// ProbeResult is one look. Times are ages, since the nodes' clocks may differ.
type ProbeResult struct {
	Check     string             `json:"check" maxLength:"400"`
	State     string             `json:"state" enum:"up,degraded,down,unknown"`
	AgeMS     int64              `json:"age_ms" minimum:"0" maximum:"600000"` // since the look began
	TookMS    float64            `json:"took_ms" minimum:"0" maximum:"600000"`
	Code      string             `json:"code,omitempty" maxLength:"100"`
	Args      map[string]any     `json:"args,omitempty"`
	Step      string             `json:"step,omitempty" maxLength:"200"`
	Values    map[string]float64 `json:"values,omitempty"`
	ExpiresAt time.Time          `json:"certificate_expires,omitzero"`
}

// MostAge bounds how long ago a look began, and how long it took.
const MostAge = 10 * time.Minute

// Counted is how many results of a report counted.
type Counted struct {
	Counted int `json:"counted"`
}

func (s *server) probeReport(ctx context.Context, in *struct {
	Node string `path:"node" maxLength:"100"`
	Body ProbeReport
}) (*plain[Counted], error) {
	if err := isNode(ctx, in.Node); err != nil {
		return nil, err
	}
	now := s.Now()
	results := make([]continuity.CheckResult, 0, len(in.Body.Results))
	for _, r := range in.Body.Results {
		results = append(results, continuity.CheckResult{
			Check: r.Check, Node: in.Node, State: continuity.CheckState(r.State), At: now.Add(-time.Duration(r.AgeMS) * time.Millisecond),
			Took: time.Duration(r.TookMS * float64(time.Millisecond)), Values: fewValues(r.Values), CertExpires: r.ExpiresAt,
			Reason: continuity.CheckReason{Code: r.Code, Args: shortArgs(r.Args), Step: r.Step},
		})
	}
	return &plain[Counted]{Counted{s.Checks.Report(ctx, in.Node, in.Body.Isolated, results)}}, nil
}

// How much a result may say. What is more is left out, so that one check that
// finds too much keeps no other from being reported.
const (
	mostValues = 100
	mostName   = 100 // bytes, of a value and of what a reason names
	mostArgs   = 20
	mostArg    = 300 // bytes: a host and the like
)

func fewValues(all map[string]float64) map[string]float64 {
	few := make(map[string]float64, min(len(all), mostValues))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(name) <= mostName && len(few) < mostValues {
			few[name] = all[name]
		}
	}
	return few
}

func shortArgs(all map[string]any) map[string]any {
	short := make(map[string]any, min(len(all), mostArgs))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(name) > mostName || len(short) == mostArgs {
			continue
		}
		switch v := all[name].(type) {
		case string:
			short[name] = strings.ToValidUTF8(v[:min(len(v), mostArg)], "")
		case float64, bool:
			short[name] = v
		}
	}
	return short
}

// isNode holds a token to the node that it is named after, so that one that was
// stolen has one vote.
func isNode(ctx context.Context, node string) error {
	caller := callerOf(ctx)
	if caller.Name == node || caller.Scopes.Has(access.StateWrite) {
		return nil
	}
	return continuity.E(continuity.CodeForbidden, nil, "control", true, "token_of", caller.Name, "node", node)
}

// FetchOrders asks for a probe node's checks; known is the fingerprint of
// what it has.
func FetchOrders(ctx context.Context, c *Client, node, known string) (Orders, error) {
	o, _, err := Get[Orders](ctx, c, "/probes/"+url.PathEscape(node)+"/orders", url.Values{"mark": {known}})
	return o, err
}

// SendReport tells what a probe node found. It is sent once: the next one says
// more.
func SendReport(ctx context.Context, c *Client, node string, r ProbeReport) (Counted, error) {
	counted, _, err := call[Counted](ctx, c, http.MethodPost, "/probes/"+url.PathEscape(node)+"/reports", nil, r, nil)
	return counted, err
}
