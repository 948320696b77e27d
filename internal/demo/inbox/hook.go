package inbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// hook takes what is signed as Standard Webhooks says, and each id once.
func (b *Inbox) hook(w http.ResponseWriter, r *http.Request) {
	page := r.PathValue("page")
	secret, known := b.Hooks[page]
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if b.asks(r.Context(), page) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(id + "." + at + "." + string(body)))
	want := "v1," + base64.StdEncoding.EncodeToString(sum.Sum(nil))
	seconds, wrong := strconv.ParseInt(at, 10, 64)
	old := time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute
	if err != nil || wrong != nil || old || id == "" || !hmac.Equal([]byte(want), []byte(r.Header.Get("webhook-signature"))) {
		b.refuse(Webhook, "a signature that is none, for "+page)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var said struct {
		Type string
		Data struct {
			ID, Subject, Text, Link string
			Urgent, Repeat          bool
		}
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Type != "notification" || said.Data.Text == "" {
		b.refuse(Webhook, "no notification, for "+page)
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	d := said.Data
	if b.has(Webhook, id) { // its receiver knows keys
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch b.take(Item{Kind: Webhook, To: page, Key: id, Repeat: d.Repeat, Urgent: d.Urgent, Subject: d.Subject, Text: d.Text, Link: d.Link}) {
	case Refused:
		w.WriteHeader(http.StatusServiceUnavailable)
	case Cut, Lost:
		cut(w)
	case Answered:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (b *Inbox) has(kind, key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.items {
		if i.Kind == kind && i.Key == key {
			return true
		}
	}
	return false
}

// cut breaks the connection off.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
