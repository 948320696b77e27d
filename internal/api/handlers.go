package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// PersonHeader names who asks; it is logged where somebody reads what a
// customer sent.
const PersonHeader = "Holdfast-Person"

// The shortest abbreviation of a receipt that is looked up, and how many
// candidates an ambiguous one lists.
const (
	minPrefix     = 4
	maxCandidates = 10
)

func (s *server) status(r *http.Request) (any, error) { return s.Overview.Status(r.Context()) }

// selected returns the routes that the query names, or all.
func (s *server) selected(r *http.Request) ([]Route, error) {
	status, err := s.Overview.Status(r.Context())
	if err != nil {
		return nil, err
	}
	want := r.URL.Query().Get("route")
	if want == "" {
		return status.Routes, nil
	}
	known := make([]string, len(status.Routes))
	for i, route := range status.Routes {
		if route.ID == want {
			return []Route{route}, nil
		}
		known[i] = route.ID
	}
	return nil, continuity.E(continuity.CodeNoRoute, nil, "name", want, "known", strings.Join(known, ", "))
}

func (s *server) routes(r *http.Request) (any, error) { return s.selected(r) }

func (s *server) counters(r *http.Request) (any, error) {
	routes, err := s.selected(r)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Counters, len(routes))
	for _, route := range routes {
		out[route.ID] = route.Counters
	}
	return out, nil
}

func (s *server) drain(r *http.Request) (any, error) { return s.selected(r) }

func (s *server) list(r *http.Request) (any, error) {
	v := r.URL.Query()
	q := Query{Route: v.Get("route"), Key: v.Get("key"), Cursor: v.Get("cursor"), Limit: defaultPage}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			return nil, continuity.E(continuity.CodeInvalid, err, problem.DetailID, "api.invalid.limit", "max", maxPage)
		}
		q.Limit = n
	}
	for _, name := range strings.FieldsFunc(v.Get("state"), func(c rune) bool { return c == ',' }) {
		state, ok := ParseState(name)
		if !ok {
			return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.state", "name", name, "known", StateNames())
		}
		q.States = append(q.States, state)
	}
	return s.Records.List(r.Context(), q)
}

// StateNames lists the names of all states.
func StateNames() string {
	var names []string
	for _, s := range continuity.States() {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}

// ParseState reads a state's name.
func ParseState(name string) (continuity.State, bool) {
	for _, s := range continuity.States() {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// receipt resolves a whole or an abbreviated receipt. An ambiguous one fails
// and names the candidates.
func (s *server) receipt(r *http.Request) (continuity.Receipt, error) {
	text := r.PathValue("receipt")
	if whole, err := continuity.ParseReceipt(text); err == nil {
		return whole, nil
	}
	if len(text) < minPrefix {
		return continuity.Receipt{}, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.prefix", "min", minPrefix)
	}
	found, err := s.Records.Find(r.Context(), text, maxCandidates)
	switch {
	case err != nil:
		return continuity.Receipt{}, err
	case len(found) == 0:
		return continuity.Receipt{}, continuity.E(continuity.CodeNotFound, nil, "receipt", text)
	case len(found) == 1:
		return found[0], nil
	}
	candidates := make([]string, len(found))
	for i, f := range found {
		candidates[i] = f.String()
	}
	return continuity.Receipt{}, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.ambiguous",
		"prefix", text, "list", strings.Join(candidates, " "))
}

func (s *server) record(r *http.Request) (any, error) {
	receipt, err := s.receipt(r)
	if err != nil {
		return nil, err
	}
	return s.Records.Record(r.Context(), receipt)
}

func (s *server) body(r *http.Request) (any, error) {
	person := strings.TrimSpace(r.Header.Get(PersonHeader))
	if person == "" {
		return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.reader", "header", PersonHeader)
	}
	receipt, err := s.receipt(r)
	if err != nil {
		return nil, err
	}
	raw := r.URL.Query().Get("raw") == "true"
	bytes, contentType, err := s.Records.Body(r.Context(), receipt, raw)
	if err != nil {
		return nil, err
	}
	s.Logger.Info("a record's body was read", "person", person, "receipt", receipt.Short(), "bytes", len(bytes), "raw", raw)
	return rawBody{bytes, contentType}, nil
}

func (s *server) act(r *http.Request) (any, error) {
	var req ActRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := answerable(req.Person, req.Why); err != nil {
		return nil, err
	}
	receipt, err := s.receipt(r)
	if err != nil {
		return nil, err
	}
	result, err := s.Records.Act(r.Context(), receipt, req)
	if err != nil {
		return nil, err
	}
	s.Logger.Info("a person acted on a record", "person", req.Person, "verb", req.Verb, "receipt", receipt.Short(), "route", result.Record.Route, "state", result.Record.State, "why", req.Why)
	return result, nil
}

// The bounds of what people write: it is kept in the journal and shown on
// terminals.
const (
	longestPerson = 100
	longestWhy    = 1000
)

// answerable refuses what nobody answers for.
func answerable(person, why string) error {
	switch {
	case strings.TrimSpace(person) == "":
		return continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.person")
	case strings.TrimSpace(why) == "":
		return continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.why")
	case utf8.RuneCountInString(person) > longestPerson || utf8.RuneCountInString(why) > longestWhy ||
		strings.ContainsFunc(person+why, unicode.IsControl):
		return continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.words", "person", longestPerson, "why", longestWhy)
	default:
		return nil
	}
}

func (s *server) switches(r *http.Request) (any, error) {
	return s.Control.Switches(r.URL.Query().Get("route"))
}

func (s *server) putSwitch(r *http.Request) (any, error) {
	var req SwitchRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := answerable(req.Person, req.Why); err != nil {
		return nil, err
	}
	standing, err := s.Control.Switch(req)
	if err != nil {
		return nil, err
	}
	s.Logger.Info("a person switched a route", "person", req.Person, "route", req.Route, "intake", req.Intake,
		"replay", req.Replay, "force", req.Force, "owner", req.Owner, "why", req.Why)
	return standing, nil
}

func (s *server) reload(r *http.Request) (any, error) { return s.Control.Reload(r.Context()) }

func (s *server) replace(r *http.Request) (any, error) {
	s.Logger.Info("the program is to be replaced", "person", r.Header.Get(PersonHeader))
	return struct{}{}, s.Control.Replace(r.Context())
}

func (s *server) reconcile(r *http.Request) (any, error) {
	var q ReconcileQuery
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	return s.Control.Reconcile(r.Context(), q)
}

// settlement takes a settlement file as it is; what to do with it stands in the
// query.
func (s *server) settlement(r *http.Request) (any, error) {
	query := r.URL.Query()
	day, err := time.Parse(time.DateOnly, query.Get("day"))
	if err != nil {
		return nil, continuity.E(continuity.CodeInvalid, err, problem.DetailID, "api.invalid.day", "value", query.Get("day"))
	}
	return s.Control.Reconcile(r.Context(), ReconcileQuery{
		Route: query.Get("route"), All: query.Get("all") == "true", Statement: r.Body, Day: day,
	})
}

func (s *server) report(r *http.Request) (any, error) {
	return s.Control.Report(r.Context(), r.URL.Query().Get("route"))
}
