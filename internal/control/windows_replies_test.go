package control

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/maintenance"
	"holdfast/internal/notify"
	"holdfast/internal/store"
)

// listened is what was said of windows.
type listened struct {
	controlapi.Windows
	controlapi.Courses

	windows []maintenance.Kept
	said    []string
}

func (l *listened) Get(_ context.Context, id string) (maintenance.WindowDetail, int64, error) {
	for i := range l.windows {
		if l.windows[i].ID == id {
			return maintenance.WindowDetail{Window: l.windows[i].Window}, 1, nil
		}
	}
	return maintenance.WindowDetail{}, 0, continuity.E(continuity.CodeNotFound, nil)
}

func (l *listened) CheckIn(_ context.Context, by continuity.Actor, id, person string, works bool, text string) (maintenance.Kept, error) {
	if person == "he.ping" { // who comes with no batch
		return maintenance.Kept{}, continuity.E(continuity.CodeInvalid, nil)
	}
	l.said = append(l.said, fmt.Sprint(id, " ", person, " by ", by.Via, ": ", works, " ", text))
	return maintenance.Kept{}, nil
}

func (l *listened) Feedback(_ context.Context, by continuity.Actor, id string, score int, text string) (maintenance.Kept, error) {
	l.said = append(l.said, fmt.Sprint(id, " ", by.ID, ": ", score, " ", text))
	return maintenance.Kept{}, nil
}

// reads counts how often all deliveries are read.
type reads struct {
	*store.Store

	lists int
}

func (r *reads) List(ctx context.Context, q continuity.Query) ([]continuity.Object, string, error) {
	if q.Kind == continuity.KindDelivery {
		r.lists++
	}
	return r.Store.List(ctx, q)
}

// TestAnswersToWindows has people answer what they were told of windows, and of
// something else.
func TestAnswersToWindows(t *testing.T) {
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	by := continuity.Actor{Kind: "system", ID: "test"}
	for id, number := range map[string]string{"li.wei": "+8613800138001", "sun.lan": "+8613800138002", "he.ping": "+8613800138003"} {
		person := continuity.Person{ID: id, Names: map[string]string{"en": id}, Addresses: []continuity.Address{{Kind: "phone", Value: number}}}
		if _, err := s.People().Put(t.Context(), by, person, continuity.VersionNew, ""); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	for i, d := range []continuity.Delivery{
		{Notification: "orders-w-2026-1.n-3", Person: "li.wei", Provider: "p1"},
		{Notification: "chat-w-2026-1.n-9", Person: "sun.lan"},
		{Notification: "old-w-2025-1.n-9", Person: "sun.lan", Provider: "p0"},
		{Notification: "orders-w-2026-1.n-4", Person: "he.ping"},
	} {
		d.ID, d.Sender, d.Sent = fmt.Sprint(d.Notification, ".d-1"), "sms", now.Add(-time.Duration(i)*time.Minute)
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), continuity.Batch{Actor: by, Changes: []continuity.Change{{Kind: continuity.KindDelivery, ID: d.ID, Version: continuity.VersionNew, Body: body, Action: "delivery.test"}}}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(id, state string, ended time.Time) maintenance.Kept {
		return maintenance.Kept{Window: continuity.Window{ID: id, State: state, Ended: ended}}
	}
	for _, x := range []struct {
		name string
		e    notify.Event
		want string
	}{
		{"it works", notify.Event{From: "138 0013 8001", Text: "OK"}, "orders-w-2026-1 li.wei by sms: true "},
		{"it does not", notify.Event{From: "+8613800138001", Text: "打印不了"}, "orders-w-2026-1 li.wei by sms: false 打印不了"},
		{"by the provider's word", notify.Event{ID: "p1", Text: "好的"}, "orders-w-2026-1 li.wei by sms: true "},
		{"a score", notify.Event{From: "13800138002", Text: "4"}, "chat-w-2026-1 sun.lan: 4 "},
		{"in words", notify.Event{From: "13800138002", Text: "quick this time"}, "chat-w-2026-1 sun.lan: 0 quick this time"},
		{"to a window long past", notify.Event{ID: "p0", Text: "thanks"}, ""},
		{"from one who was not let in", notify.Event{From: "13800138003", Text: "quiet here"}, "orders-w-2026-1 he.ping: 0 quiet here"},
		{"from a stranger", notify.Event{From: "13900000000", Text: "OK"}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			heard := &listened{windows: []maintenance.Kept{
				kept("orders-w-2026-1", continuity.WindowReadmitting, time.Time{}), kept("chat-w-2026-1", continuity.WindowDone, now.Add(-time.Hour)),
				kept("old-w-2025-1", continuity.WindowDone, now.Add(-300*24*time.Hour)),
			}}
			n := &Node{store: s, log: slog.New(slog.DiscardHandler)}
			n.api.Windows, n.api.Courses = heard, heard
			read := &reads{Store: s}
			take := n.hearOfWindows(&notify.Acks{Store: read, Now: time.Now, Addresses: n.addressesOf})
			x.e.Kind = notify.EventReply
			for range 3 {
				heard.said = nil
				if err := take(t.Context(), "sms", []notify.Event{x.e}); err != nil {
					t.Fatal(err)
				}
			}
			if read.lists > 1 {
				t.Errorf("all deliveries were read %d times for three answers", read.lists)
			}
			got := ""
			if len(heard.said) > 0 {
				got = heard.said[0]
			}
			if got != x.want || len(heard.said) > 1 {
				t.Errorf("%q, want %q", heard.said, x.want)
			}
		})
	}
}
