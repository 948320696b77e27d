package telegram

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

// mostReply bounds what is kept of an answer, in characters.
const mostReply = 1000

var errNotTelegram = errors.New("telegram: the secret of the webhook is missing or another")

type update struct {
	Message *posted `json:"message"`
	Pressed *struct {
		ID      string  `json:"id"`
		From    account `json:"from"`
		Message *posted `json:"message"`
		Data    string  `json:"data"`
	} `json:"callback_query"`
}

// Receive implements notify.Receiver.
func (c *channel) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	want, err := httpsend.Optional(c.tools, c.Secret)
	if err != nil || want == "" {
		return notify.Answer{}, nil, errNotTelegram
	}
	got := r.Header.Get("X-Telegram-Bot-Api-Secret-Token")
	if subtle.ConstantTimeCompare([]byte(got), []byte(want.Reveal())) != 1 {
		return notify.Answer{}, nil, errNotTelegram
	}
	var u update
	if err := json.Unmarshal(body, &u); err != nil { // it would be sent again for a day
		return notify.Answer{}, nil, nil
	}
	switch {
	case u.Pressed != nil:
		event := notify.Event{Kind: notify.EventAcknowledged, Token: u.Pressed.Data, From: strconv.FormatInt(u.Pressed.From.ID, 10), At: c.tools.Now()}
		if u.Pressed.Message != nil {
			event.ID = u.Pressed.Message.id()
		}
		return pressed(u.Pressed.ID, u.Pressed.From.Language), []notify.Event{event}, nil
	case u.Message != nil && strings.TrimSpace(u.Message.Text) != "":
		event := notify.Event{
			Kind: notify.EventReply, From: strconv.FormatInt(u.Message.From.ID, 10), At: time.Unix(u.Message.Date, 0).UTC(),
			Text: httpsend.Cut(httpsend.Plain(u.Message.Text), mostReply, httpsend.Runes),
		}
		if answered := u.Message.Reply; answered != nil {
			event.ID = answered.id()
			if b := answered.Markup; b != nil && len(b.Rows) > 0 && len(b.Rows[0]) > 0 {
				event.Token = b.Rows[0][0].Data
			}
		}
		return notify.Answer{}, []notify.Event{event}, nil
	}
	return notify.Answer{}, nil, nil
}

// pressed tells Telegram, in the answer to its request, that the button was heard;
// the person's app waits for it.
func pressed(id, language string) notify.Answer {
	lang := catalogue.En
	if strings.HasPrefix(language, "zh") {
		lang = catalogue.Zh
	}
	body, err := json.Marshal(map[string]string{
		"method": "answerCallbackQuery", "callback_query_id": id, "text": catalogue.Text(lang, "notify.telegram.received", nil),
	})
	if err != nil {
		return notify.Answer{}
	}
	return notify.Answer{Type: "application/json", Body: body}
}
