package probe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/secret"
	"holdfast/internal/watch/probe"
)

// Whoever mends it has to know which secret; its value is never told.
func TestSecretThatCannotBeReadIsNamed(t *testing.T) {
	_, err := secret.Source{Prefix: "NOTHING_"}.Resolve(secret.Ref{Env: "SHOP_KEY_OF_NOBODY"})
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		r := probe.NoSecret(fmt.Errorf("to log in: %w", err)).Reason
		if text := catalogue.Text(lang, r.Code, r.Args); !strings.Contains(text, "env SHOP_KEY_OF_NOBODY") {
			t.Errorf("%s: %s (%v)", lang, text, err)
		}
		r = probe.NoSecret(errors.New("the value")).Reason
		if text := catalogue.Text(lang, r.Code, r.Args); r.Code != "watch.no-secret" || strings.Contains(text, "value") {
			t.Errorf("%s: %s", lang, text)
		}
	}
	if state := probe.NoSecret(err).State; state != continuity.CheckUnknown {
		t.Error(state)
	}
}
