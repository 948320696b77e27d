package respond

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/demo"
)

// answers has who orders be told what customers are told.
func answers(w *demo.World) error {
	return w.Edit("shop.tech.yaml", "hold: {state: on, age: 24h}}", "hold: {state: on, age: 24h}, autoreply: customers}")
}

// order orders as a customer does, and returns the answer.
func (w *world) order(ctx context.Context, number, lang string) (status int, said string, err error) {
	body, err := json.Marshal(map[string]any{"order_no": number, "customer": "c-1", "sku": "sku-1", "qty": 1, "total": "10.00", "currency": "CNY"})
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.CustomersURL()+"/api/orders", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Idempotency-Key": number, "Accept-Language": lang} {
		req.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	var answer struct{ State, Message, Notice string }
	if response.StatusCode == http.StatusAccepted {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return 0, "", err
		}
		if answer.State != "held" || answer.Message == "" {
			return 0, "", fmt.Errorf("answered %+v", answer)
		}
	}
	return response.StatusCode, answer.Notice, nil
}

// hears waits until who orders is told something that has a text in it; an empty one:
// until nothing is said.
func (w *world) hears(mark, lang, text string) {
	w.t.Helper()
	n := 0
	w.until(late, "who orders hears "+text, func(ctx context.Context) (bool, string) {
		n++
		status, said, err := w.order(ctx, fmt.Sprintf("%s-%s-%d", mark, lang, n), lang)
		ok := err == nil && status == http.StatusAccepted && (text == "" && said == "" || text != "" && strings.Contains(said, text))
		return ok, fmt.Sprint(status, " ", said, " ", err)
	})
}

// TestWhoOrdersHearsOfTheIncident has the relay tell customers, in the answer to the
// orders that it keeps, what they are told of an incident, while it stands, in their
// language and over the death of the control node.
func TestWhoOrdersHearsOfTheIncident(t *testing.T) {
	t.Parallel()
	w := newWorld(t, demo.Options{PerMinute: 1000}, func(w *demo.World) error {
		if err := quiet(w); err != nil {
			return err
		}
		if err := w.Edit("shop.yaml", "grade: SEV-1, runbook: bring-back", "grade: SEV-1, runbook: go-on"); err != nil { // the shop stays away
			return err
		}
		return answers(w)
	})
	w.answering()
	w.did(w.Shop.Kill(), "kill the shop")
	w.until(late, "orders are kept", func(ctx context.Context) (bool, string) {
		status, said, err := w.order(ctx, fmt.Sprint("first-", time.Now().UnixNano()), "en")
		if said != "" {
			t.Fatalf("said before anything stands: %s", said)
		}
		return status == http.StatusAccepted, fmt.Sprint(status, err)
	})
	id := w.declare("the warehouse is on fire")
	w.hears("standing", "en", "Hotline")
	w.hears("standing", "zh", "服务热线")
	w.again()
	w.hears("again", "en", "Hotline")
	w.as("zhang.min", "/incidents/"+id, "state", map[string]any{"state": continuity.Resolved, "why": "it works"})
	w.hears("over", "en", "")
}
