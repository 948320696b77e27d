package controlapi

import (
	"encoding/json"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/watch"
)

// What engines give as a reason is said in the reader's words, of a flow with its
// step; what people write stays as they wrote it.
func TestAnEventSaysWhy(t *testing.T) {
	engine, person := continuity.Actor{Kind: continuity.ActorEngine, ID: "watch"}, continuity.Actor{Kind: "user", ID: "li.wei"}
	reason := continuity.CheckReason{Step: "log-in", Code: "watch.status", Args: map[string]any{"status": 503}}
	after, err := json.Marshal(continuity.JudgedCheck{State: continuity.CheckDown, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		e      continuity.AuditEvent
		en, zh string
	}{
		"a flow's step":       {continuity.AuditEvent{Actor: engine, Kind: "check", Reason: reason.Code, After: after}, watch.Say(catalogue.En, reason), watch.Say(catalogue.Zh, reason)},
		"without its content": {continuity.AuditEvent{Actor: engine, Kind: "check", Reason: "watch.refused"}, "The connection is refused: nothing listens there.", "连接被拒绝：该地址没有程序在监听。"},
		"a code":              {continuity.AuditEvent{Actor: engine, Kind: "warning", Reason: "warning.unwatched"}, "Nothing watches for it any more.", "已不再监控该情况。"},
		"what is no code":     {continuity.AuditEvent{Actor: engine, Kind: "warning", Reason: "over"}, "over", "over"},
		"a person's words":    {continuity.AuditEvent{Actor: person, Kind: "warning", Reason: "warning.unwatched"}, "warning.unwatched", "warning.unwatched"},
		"nothing":             {continuity.AuditEvent{Actor: engine, Kind: "check", After: []byte("{}")}, "", ""},
	} {
		if en, zh := headOf(catalogue.En, test.e).Why, headOf(catalogue.Zh, test.e).Why; en != test.en || zh != test.zh {
			t.Errorf("%s: %q, %q", name, en, zh)
		}
	}
	if step := watch.Say(catalogue.Zh, reason); step == watch.Say(catalogue.Zh, continuity.CheckReason{Code: reason.Code, Args: reason.Args}) {
		t.Error("the step is not named: " + step)
	}
}
