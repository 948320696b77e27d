package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"holdfast/internal/notify"
)

// TestAGroupForATime has the bot make a private channel, invite people, and archive it.
func TestAGroupForATime(t *testing.T) {
	var asked []string
	refuse := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("Authorization") != "Bearer "+token {
			t.Error(err, r.Header)
		}
		asked = append(asked, fmt.Sprint(r.URL.Path, " ", got))
		w.Header().Set("Content-Type", "application/json")
		if refuse != "" {
			fmt.Fprintf(w, `{"ok":false,"error":%q}`, refuse)
			return
		}
		fmt.Fprint(w, `{"ok":true,"channel":{"id":"C9"}}`)
	}))
	defer server.Close()
	b := botAt(t, server.URL).(notify.Gatherer)
	g, err := b.Gather(t.Context(), notify.Gathering{Key: "Run1Open", Name: "Shop", Members: []string{"U1", "U2"}})
	if err != nil || g.ID != "C9" {
		t.Fatal(g, err)
	}
	if err := b.Part(t.Context(), g.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/conversations.create map[is_private:true name:hf-run1open]", "/conversations.invite map[channel:C9 users:U1,U2]",
		"/conversations.setTopic map[channel:C9 topic:Shop]", "/conversations.archive map[channel:C9]",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("%q", asked)
	}
	refuse = "missing_scope"
	if _, err := b.Gather(t.Context(), notify.Gathering{Key: "x", Name: "Shop"}); err == nil {
		t.Error("an error inside a 200 is an error")
	}
}
