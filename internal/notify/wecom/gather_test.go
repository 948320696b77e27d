package wecom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/internal/notify"
)

// TestAGroupForATime has the app make a group chat, whose id is ours: a second attempt
// finds the first one's.
func TestAGroupForATime(t *testing.T) {
	made := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/gettoken") {
			fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","access_token":"T","expires_in":7200}`)
			return
		}
		var got gathering
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.URL.Path != "/cgi-bin/appchat/create" || r.URL.Query().Get("access_token") != "T" {
			t.Error(err, r.URL)
		}
		if len(got.ID) > longestChat || len(got.Members) != 2 || got.Name != "Shop" {
			t.Errorf("%+v", got)
		}
		if made[got.ID] {
			fmt.Fprint(w, `{"errcode":86215,"errmsg":"chatid existed"}`)
			return
		}
		made[got.ID] = true
		fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","chatid":%q}`, got.ID)
	}))
	defer server.Close()
	a := appAt(t, server.URL)
	for range 2 {
		g, err := a.Gather(t.Context(), notify.Gathering{Key: strings.Repeat("k", 40), Name: "Shop", Members: []string{"li", "wu"}})
		if err != nil || g.ID != strings.Repeat("k", 32) {
			t.Fatal(g, err)
		}
	}
	if _, err := a.Gather(t.Context(), notify.Gathering{Key: "k", Name: "Shop", Members: []string{"li"}}); err == nil {
		t.Error("a group of one")
	}
}
