package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
	"holdfast/internal/sign"
)

func channelTo(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := Kind.Open(&Settings{URL: url, Secret: secret.Ref{Name: "BOARD"}}, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSignedAndUnderOneKey(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		at, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		if err != nil || time.Since(time.Unix(at, 0)) > time.Minute {
			t.Error(at, err)
		}
		want, err := sign.WebhookSignature(continuity.Secret(notifytest.Secret), r.Header.Get("webhook-id"), at, body)
		if err != nil || r.Header.Get("webhook-signature") != want {
			t.Error("signed otherwise", err)
		}
		var got payload
		if err := json.Unmarshal(body, &got); err != nil || got.Data.Text != notifytest.Message().Text || got.Data.Link == "" || !got.Data.Urgent {
			t.Errorf("%s, %v", body, err)
		}
		keys = append(keys, r.Header.Get("webhook-id"))
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	for range 2 {
		sent, err := channelTo(t, server.URL).Send(t.Context(), notifytest.Message())
		if err != nil || !sent.Arrived {
			t.Fatal(sent, err)
		}
	}
	if len(keys) != 2 || keys[0] != keys[1] || keys[0] != notifytest.Message().Key {
		t.Error(keys)
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, channelTo)
	c, err := Kind.Open(&Settings{URL: "http://127.0.0.1:1", Secret: secret.Ref{Name: "MISSING"}}, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailSettings || got.Retry {
		t.Errorf("%+v", got)
	}
}
