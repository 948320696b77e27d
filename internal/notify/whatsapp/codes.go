package whatsapp

import (
	"net/http"
	"strconv"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

// codes are those that WhatsApp's list gives for sending; what became of a message
// later says the same ones.
var codes = func() httpsend.Codes {
	all := httpsend.Codes{
		"4": {Code: notify.FailRate, Retry: true, After: time.Minute}, "80007": {Code: notify.FailRate, Retry: true, After: time.Minute},
		"130429": {Code: notify.FailRate, Retry: true, After: time.Second},
		"131048": {Code: notify.FailRate, Retry: true, After: time.Hour},       // too many were reported
		"131049": {Code: notify.FailRate, Retry: true, After: 24 * time.Hour},  // enough for this person
		"131056": {Code: notify.FailRate, Retry: true, After: 6 * time.Second}, // to one person
	}
	for meaning, numbers := range map[string][]string{
		notify.FailProvider: {"1", "2", "131000", "131016", "131057"},
		notify.FailRefused:  {"0", "3", "10", "190", "368", "130497", "131005", "131031"},
		notify.FailSettings: {"33", "131037", "131045", "133010"},
		notify.FailAddress:  {"130472", "131021", "131026", "131030", "131050"},
		notify.FailContent:  {"100", "131008", "131009", "131051"},
		notify.FailTemplate: {"131047"}, // written to without one, after a day
		notify.FailBalance:  {"131042"},
	} {
		for _, number := range numbers {
			all[number] = notify.Failure{Code: meaning, Retry: meaning == notify.FailProvider}
		}
	}
	return all
}()

// failure is what an error object means. Whole ranges of codes are of one thing.
func failure(a *httpsend.Answer, code int, now time.Time) *notify.Failure {
	f := a.Failure(codes, strconv.Itoa(code), now)
	_, known := codes[strconv.Itoa(code)]
	switch {
	case known:
		f.Maybe = f.Code == notify.FailProvider && a.Status == http.StatusInternalServerError
	case code >= 200 && code <= 299: // leave to do it
		*f = notify.Failure{Code: notify.FailRefused, Status: a.Status, Said: f.Said}
	case code >= 132000 && code <= 132999:
		*f = notify.Failure{Code: notify.FailTemplate, Status: a.Status, Said: f.Said}
	}
	return f
}
