package binding_test

import (
	"testing"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// TestRoutesOfRelaysThatTheNodeDoesNotKnow warns before a step fails, and agrees with the
// name that the documents give the relay.
func TestRoutesOfRelaysThatTheNodeDoesNotKnow(t *testing.T) {
	p := parsed(t, upgrade, read(t, plan.TechName(upgrade)))
	if found := binding.UnknownRelays(p, []string{"relay"}); len(found) != 0 {
		t.Error(found)
	}
	for id, known := range map[string][]string{"wording.plan.relay": {"shop"}, "wording.plan.relay-none": nil} {
		found := binding.UnknownRelays(p, known)
		if len(found) == 0 || found[0].ID != id || found[0].Severity != yamldoc.Warning || found[0].Hint(catalogue.Zh) == id+".hint" || found[0].Line < 2 {
			t.Errorf("%v: %+v", known, found)
		}
	}
}
