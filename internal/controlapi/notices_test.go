package controlapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
)

// newNotices is the API with a desk that knows one service.
func newNotices(t *testing.T) *api {
	t.Helper()
	a := newAPI(t)
	desk := notices.New(notices.Options{Store: a.store, Node: "node-1", Log: slog.New(slog.DiscardHandler), Now: a.Now})
	desk.Set([]notices.Service{{ID: "chat", Zone: time.UTC, Names: []extract.Name{{ID: "login", Names: []string{"login"}}}, Sources: []notices.Spec{{Service: "chat", ID: "vendor", Kind: "feed", Every: time.Minute}}}})
	a.Notices = desk
	registerNotices(a.server)
	a.router = nil // made anew with these operations
	return a
}

func body[T any](t *testing.T, r *http.Response) T {
	t.Helper()
	var v T
	text := textOf(t, r)
	if err := json.Unmarshal([]byte(text), &v); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%d: %s", r.StatusCode, text)
	}
	return v
}

func TestNoticesArePastedConfirmedAndDismissed(t *testing.T) {
	a := newNotices(t)
	const pasted = `{"service":"chat","title":"Login maintenance","text":"Scheduled maintenance of login on 2031-12-01 from 02:00 UTC","written":"2031-11-20T10:00:00Z"}`
	p := body[notices.Proposal](t, a.ask(t, http.MethodPost, "/api/v1/notices", pasted))
	if p.Reading.Kind != extract.Maintenance || len(p.Reading.Unread) != 1 || p.Reading.Unread[0] != extract.FieldEnd {
		t.Fatalf("%+v", p)
	}
	one := "/api/v1/notices/" + p.ID
	r := a.ask(t, http.MethodGet, one, "")
	etag := r.Header.Get("ETag")
	body[notices.Proposal](t, r)
	if f := failureIn(t, a.ask(t, http.MethodPut, one+"/confirmation", `{}`)); f.Code != continuity.CodeCondition {
		t.Error(f)
	}
	if f := failureIn(t, a.ask(t, http.MethodPut, one+"/confirmation", `{}`, "If-Match", etag)); f.Code != continuity.CodeInvalid {
		t.Error(f)
	}
	if f := failureIn(t, a.ask(t, http.MethodPut, one+"/confirmation", `{"level":"pink"}`, "If-Match", etag)); f.Code != continuity.CodeInvalid || len(f.Errors) != 1 {
		t.Error(f)
	}
	p = body[notices.Proposal](t, a.ask(t, http.MethodPut, one+"/confirmation", `{"end":"2031-12-01T06:00:00+08:00","start":"2031-12-01T02:00:00+08:00","level":"blue"}`, "If-Match", etag))
	if p.State != notices.Confirmed || p.Agreed.Start.Hour() != 18 {
		t.Fatalf("%+v", p)
	}
	if f := failureIn(t, a.ask(t, http.MethodPut, one+"/dismissal", `{"why":"no"}`, "If-Match", etag)); f.Status != http.StatusPreconditionFailed {
		t.Error(f)
	}
	if all := body[Page[notices.Proposal]](t, a.ask(t, http.MethodGet, "/api/v1/notices?service=chat", "")); len(all.Items) != 1 {
		t.Errorf("%+v", all)
	}
	p = body[notices.Proposal](t, a.ask(t, http.MethodPut, one+"/dismissal", `{"why":"not our region"}`, "If-Match", "*"))
	if p.State != notices.Dismissed || p.Rejected.Note != "not our region" {
		t.Errorf("%+v", p)
	}
	if all := body[Page[notices.Proposal]](t, a.ask(t, http.MethodGet, "/api/v1/notices", "")); len(all.Items) != 0 {
		t.Errorf("%+v", all)
	}
	if f := failureIn(t, a.ask(t, http.MethodGet, "/api/v1/notices/n-none", "")); f.Status != http.StatusNotFound {
		t.Error(f)
	}
	sources := body[Page[notices.SourceState]](t, a.ask(t, http.MethodGet, "/api/v1/notice-sources", ""))
	if len(sources.Items) != 1 || sources.Items[0].State != notices.SourceUnknown {
		t.Errorf("%+v", sources)
	}
	if _, _, err := a.Notices.List(context.Background(), notices.Query{}); err != nil {
		t.Error(err)
	}
}
