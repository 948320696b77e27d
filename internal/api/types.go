package api

import (
	"io"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/reconcile"
)

// The states of a relay as a whole.
const (
	StateReady   = "ready"
	StateKeyless = "keyless" // no master key: everything passes, nothing is held
	StateLatched = "latched"
)

// Status is the relay at a glance.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	State    string    `json:"state"`
	Started  time.Time `json:"started"`
	Uptime   float64   `json:"uptime_seconds"`
	Listen   []string  `json:"listen"`
	Config   Config    `json:"config"`
	Journal  Journal   `json:"journal"`
	View     ViewState `json:"view"`
	Routes   []Route   `json:"routes"`
	Warnings []Warning `json:"warnings"`
}

// Warning is something a person should look at. Its text stands in the
// catalogue under "api.warning." and the id.
type Warning struct {
	ID   string         `json:"id"`
	Args map[string]any `json:"args,omitempty"`
}

// Config says which configuration is in use.
type Config struct {
	File     string    `json:"file"`
	Loaded   time.Time `json:"loaded"`
	Digest   string    `json:"digest"`    // SHA-256 of the text in use, cut
	LastGood bool      `json:"last_good"` // the file is bad; the last good one is in use
	Refused  bool      `json:"refused"`   // the last reload failed; what was in use before goes on
	Problems []Problem `json:"problems,omitempty"`
	Reloads  int64     `json:"reloads"`
	Failures int64     `json:"reload_failures"`
}

// Problem is one place of a configuration that is wrong.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Warning bool   `json:"warning,omitempty"`
	// ID and Args make the text in any language; Text and Hint are English.
	ID   string         `json:"id"`
	Args map[string]any `json:"args,omitempty"`
	Text string         `json:"text"`
	Hint string         `json:"hint,omitempty"`
}

// Journal says how the journal fares.
type Journal struct {
	Open    bool                `json:"open"`
	Latched bool                `json:"latched"`
	Start   continuity.Position `json:"start"`
	End     continuity.Position `json:"end"`
	Used    int64               `json:"used_bytes"`
	Free    int64               `json:"free_bytes"`
	Clock   float64             `json:"running_seconds"`
	Keys    int                 `json:"gate_keys"` // with pending records
}

// ViewState says how far the view is behind the journal.
type ViewState struct {
	Open     bool                `json:"open"`
	Position continuity.Position `json:"position"`
	Lag      float64             `json:"lag_seconds"`
	Behind   uint64              `json:"behind_bytes"`
	Error    string              `json:"error,omitempty"`
	// Partial says that the journal's beginning was gone when the view was built:
	// records from before are missing.
	Partial bool `json:"partial,omitempty"`
}

// HealthUnchecked is the health of a route of which nobody learns how its
// upstream fares.
const HealthUnchecked = "unchecked"

// Route is one route at a glance.
type Route struct {
	ID       string          `json:"id"`
	Mode     continuity.Mode `json:"mode"`
	Hold     string          `json:"hold"`            // observe, on or never
	Share    float64         `json:"share,omitempty"` // of keys that are held, where that is not all
	Intake   string          `json:"intake"`
	Replay   string          `json:"replay"`
	Upstream string          `json:"upstream"`
	Standby  *Standby        `json:"standby,omitempty"`
	Health   string          `json:"health"` // up, down, trial, or unchecked
	Counters Counters        `json:"counters"`
	Drain    Drain           `json:"drain"`
	Switches []Switch        `json:"switches"`
	Passing  int64           `json:"passing"` // on their way upstream now, and not answered yet
	// Admission is absent where everything is let in.
	Admission *Admission `json:"admission,omitempty"`
	Removed   bool       `json:"removed,omitempty"` // no longer configured, but records are pending
	// Unrecorded requests passed though they should have been recorded first.
	Unrecorded     int64 `json:"unrecorded,omitempty"`
	RecordingFails bool  `json:"recording_fails,omitempty"` // lately
	// Webhook is absent where nobody is told.
	Webhook *Webhook `json:"webhook,omitempty"`
}

// Webhook says how the route's clients are told how their requests ended,
// since the relay started.
type Webhook struct {
	Told    int64   `json:"told"`
	Failed  int64   `json:"failed"`   // tries
	GivenUp int64   `json:"given_up"` // after the last try
	Lost    int64   `json:"lost"`     // ends that the journal forgot first
	Waiting int     `json:"waiting"`
	Gone    bool    `json:"gone,omitempty"` // the endpoint wants to be told nothing more
	Failing float64 `json:"failing_seconds,omitempty"`
}

// Standby is where a route can divert to.
type Standby struct {
	Upstream string `json:"upstream"`
	Health   string `json:"health"` // up, down, or unchecked
}

// Counters are a route's ledger: accepted is the sum of all that follows it.
type Counters struct {
	Accepted            int64     `json:"accepted"`
	DeliveredAtOnce     int64     `json:"delivered_at_once"`
	DeliveredAfterDoubt int64     `json:"delivered_after_doubt"`
	Refused             int64     `json:"refused"`
	Dead                int64     `json:"dead"`
	Discarded           int64     `json:"discarded"`
	Queued              int64     `json:"queued"`
	Attempting          int64     `json:"attempting"`
	InDoubt             int64     `json:"in_doubt"`
	Parked              int64     `json:"parked"`
	Pending             int64     `json:"pending"`
	PendingBytes        int64     `json:"pending_bytes"`
	Oldest              float64   `json:"oldest_seconds"`
	Told                int64     `json:"told"`     // of the refused, dead and discarded: the customer knows
	Recorded            int64     `json:"recorded"` // passed, and written down before
	Amounts             []Amounts `json:"amounts,omitempty"`
	Balanced            bool      `json:"balanced"`
	Unknown             bool      `json:"unknown,omitempty"` // the ledger can't be read: no number means anything
}

// Drain is how a route's replay goes and when it is expected to end.
type Drain struct {
	Rate        float64   `json:"rate"`     // delivered a second, lately
	Allowed     float64   `json:"allowed"`  // what the ramp allows a second
	Live        float64   `json:"live"`     // live requests a second, lately
	Capacity    float64   `json:"capacity"` // live and replay together
	Share       float64   `json:"share"`    // of the capacity, by the ramp
	Measured    bool      `json:"measured"` // nobody stated the capacity
	InFlight    int       `json:"in_flight"`
	Gain        float64   `json:"gain"`                   // accepted a second, lately
	Paused      string    `json:"paused,omitempty"`       // reason, if replay pauses by itself
	Ends        float64   `json:"ends_seconds,omitempty"` // expected; 0 with Forecast false
	Forecast    bool      `json:"forecast"`
	Gaining     []Gaining `json:"gaining,omitempty"`
	ExpireFirst bool      `json:"expire_first"` // the oldest record would expire before its turn
}

// Switch is one standing setting.
type Switch struct {
	Route  string    `json:"route"`
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	Intake string    `json:"intake,omitempty"`
	Replay string    `json:"replay,omitempty"`
	Force  bool      `json:"force,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	Block  *Block    `json:"block,omitempty"` // it refuses these requests, and leaves the rest alone
}

// Block says which requests are refused: those that one of each list given fits.
type Block struct {
	Addresses []string `json:"addresses,omitempty"` // or networks, of clients
	Paths     []string `json:"paths,omitempty"`     // /a/b, or /a/**
	Headers   []string `json:"headers,omitempty"`   // "Name", "Name: value" or "Name: beginning*"

	// Say is what they are told, by language (en, zh): then they are refused for a time
	// (503, Retry-After) and not for good.
	Say map[string]string `json:"say,omitempty"`
}

// SwitchRequest puts or lifts an operator's standing setting: one of the
// intake, which may set the replay for the same time, or one of the replay
// alone.
type SwitchRequest struct {
	Route  string  `json:"route"`
	Intake string  `json:"intake,omitempty"` // pass, divert, hold, reply, block, or auto to lift the person's setting
	Replay string  `json:"replay,omitempty"` // on, trial, off, or auto
	For    float64 `json:"for_seconds,omitempty"`
	Force  bool    `json:"force,omitempty"`
	Block  *Block  `json:"block,omitempty"` // with intake block, or auto to lift the person's block of the same requests
	Owner  string  `json:"owner,omitempty"` // whose setting is lifted; default: the person's own
	Person string  `json:"person"`
	Why    string  `json:"why"`
}

// Record is one record. Only the fields that the view knows are absent while
// the view lags.
type Record struct {
	Receipt      string    `json:"receipt"`
	Route        string    `json:"route"`
	State        string    `json:"state"`
	Reason       string    `json:"reason,omitempty"`
	Version      uint16    `json:"version"`
	Attempts     int       `json:"attempts"`
	Key          string    `json:"key,omitempty"`
	Method       string    `json:"method,omitempty"`
	Target       string    `json:"target,omitempty"`
	Size         int64     `json:"size_bytes"`           // of its entry in the journal, as the limits count it
	Gone         string    `json:"gone,omitempty"`       // why request and response can't be read any more: retention, or erased; not in lists
	BodySize     int64     `json:"body_bytes,omitempty"` // as the customer sent it; not in lists
	Age          float64   `json:"age_seconds,omitempty"`
	Doubted      bool      `json:"doubted,omitempty"`
	NextAttempt  float64   `json:"next_attempt_seconds,omitempty"`
	AcceptedAt   time.Time `json:"accepted_at,omitzero"`
	Replaces     string    `json:"replaces,omitempty"`
	Response     *Response `json:"response,omitempty"`
	History      []Event   `json:"history,omitempty"`
	LaterOfKey   []string  `json:"later_delivered_of_key,omitempty"`
	Status       int       `json:"status,omitempty"` // of the system's last answer
	Told         bool      `json:"told,omitempty"`   // it ended undelivered, and the customer knows
	Proposed     *Proposal `json:"proposed,omitempty"`
	Again        string    `json:"again,omitempty"` // what it brings back after a restore
	Amount       string    `json:"amount,omitempty"`
	ContentType  string    `json:"content_type,omitempty"`
	HeaderFields []string  `json:"header_fields,omitempty"` // names only
}

// Response is the upstream's final response to a record.
type Response struct {
	Status int    `json:"status"`
	Bytes  int    `json:"bytes"`
	Cut    bool   `json:"cut,omitempty"`
	Body   string `json:"body,omitempty"`
}

// Event is one line of a record's history.
type Event struct {
	Position continuity.Position `json:"position"`
	At       time.Time           `json:"at"`
	Kind     string              `json:"kind"`
	State    string              `json:"state,omitempty"`
	Reason   string              `json:"reason,omitempty"`
	Attempt  int                 `json:"attempt,omitempty"`
	Status   int                 `json:"status,omitempty"`
	Verb     string              `json:"verb,omitempty"`
	Person   string              `json:"person,omitempty"`
	Why      string              `json:"why,omitempty"`
}

// ActRequest is a person's decision on a stated version of a record.
type ActRequest struct {
	Verb    continuity.Verb `json:"verb"`
	Version uint16          `json:"version"`
	Person  string          `json:"person"`
	Why     string          `json:"why"`
	Body    *string         `json:"body,omitempty"` // edit: the whole new body, base64
	// Later says that the person has seen that later records of the key were
	// delivered already; a retry without it fails where there are any.
	Later bool `json:"later,omitempty"`
}

// ActResult is the record after an act; an edit names the record that took
// its place.
type ActResult struct {
	Record      Record `json:"record"`
	Replacement string `json:"replacement,omitempty"`
	Proposed    bool   `json:"proposed,omitempty"` // it waits for a second person
}

// Proposal is an act that waits for a second person.
type Proposal struct {
	Verb   continuity.Verb `json:"verb"`
	Person string          `json:"person"`
}

// Amounts are the sums of a route's records in one currency, as decimals.
type Amounts struct {
	Currency            string `json:"currency"`
	Accepted            string `json:"accepted"`
	DeliveredAtOnce     string `json:"delivered_at_once"`
	DeliveredAfterDoubt string `json:"delivered_after_doubt"`
	Refused             string `json:"refused"`
	Dead                string `json:"dead"`
	Discarded           string `json:"discarded"`
	Queued              string `json:"queued"`
	Attempting          string `json:"attempting"`
	InDoubt             string `json:"in_doubt"`
	Parked              string `json:"parked"`
	Pending             string `json:"pending"`
}

// Gaining is a key that gains faster than it drains.
type Gaining struct {
	Key     string  `json:"key"`
	In      int     `json:"in"`
	Out     int     `json:"out"`
	Seconds float64 `json:"seconds"`
}

// Page is one page of a list from the view.
type Page[T any] struct {
	Items []T       `json:"items"`
	Next  string    `json:"next,omitempty"` // cursor; empty: no more
	View  ViewState `json:"view"`
}

// ReloadResult says which configuration is in use after a reload.
type ReloadResult struct {
	Applied  bool      `json:"applied"`
	Config   Config    `json:"config"`
	Problems []Problem `json:"problems,omitempty"`
}

// ReconcileQuery says what to compare: the system's own list, or a settlement
// file of a day.
type ReconcileQuery struct {
	Route     string    `json:"route"`
	All       bool      `json:"all,omitempty"` // name every finding, not only the first ones
	Statement io.Reader `json:"-"`
	Day       time.Time `json:"-"`
}

// Reconciliation compares the records with the upstream's own list.
type Reconciliation struct {
	reconcile.Report
	Clean bool `json:"clean"`
}

// Report says, for each route, what would have been held and what would have
// been in the way of it.
type Report struct {
	Routes []RouteReport `json:"routes"`
}

// RouteReport is one route's share of the report. Counts are of requests since
// Since, by what was found out about them.
type RouteReport struct {
	Route     string           `json:"route"`
	Since     time.Time        `json:"since"`
	Share     float64          `json:"share,omitempty"` // of keys that are held already, and not counted here
	Counts    map[string]int64 `json:"counts"`
	Clients   []Seen           `json:"clients"`   // that would not understand the answer
	Sensitive []Seen           `json:"sensitive"` // fields that look sensitive
}

// Seen is a name and how often it was seen.
type Seen struct {
	Name  string `json:"name"`
	Kind  string `json:"kind,omitempty"`
	Count int64  `json:"count"`
}

// ReportCounts are the names of a RouteReport's counts, in the order in which
// people read them.
func ReportCounts() []string {
	return []string{"requests", "holdable", "keepable", "would_hold", "lack_key", "lack_identity", "bad_body", "too_large",
		"excepted", "credentials", "not_understand"}
}
