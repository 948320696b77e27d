package wecom

import (
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

// stale are the codes of a token that is over, or of which another took the place.
var stale = []string{"40014", "41001", "42001"}

// codes are those that WeCom's list gives for what is done here.
var codes = func() httpsend.Codes {
	all := httpsend.Codes{
		"-1":    {Code: notify.FailProvider, Retry: true}, // busy
		"6000":  {Code: notify.FailProvider, Retry: true},
		"40014": {Code: notify.FailRefused, Retry: true}, "41001": {Code: notify.FailRefused, Retry: true}, "42001": {Code: notify.FailRefused, Retry: true},
		"45009": {Code: notify.FailRate, Retry: true, After: time.Minute},
		"45033": {Code: notify.FailRate, Retry: true, After: time.Second}, // at the same time
	}
	for meaning, numbers := range map[string][]string{
		notify.FailRefused:  {"40001", "40091", "48002", "60011", "60020", "93000", "93004", "301002"},
		notify.FailSettings: {"40013", "40056"},
		notify.FailAddress:  {"40003", "40031", "40066", "43004", "46004", "50005", "60003", "60111", "81013", "82001", "93008"},
		notify.FailContent:  {"40008", "40033", "40035", "40058", "40063", "44004", "45002"},
	} {
		for _, number := range numbers {
			all[number] = notify.Failure{Code: meaning}
		}
	}
	return all
}()
