package relay

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/stale"
)

// reply answers without asking anybody: a reader with the last good response
// where there is one that it may be given, everybody else with the maintenance
// answer.
func (f *flight) reply() {
	if f.safe() && f.route.Reply != nil && f.route.Reply.Cache {
		address := stale.Address(f.req.Scheme, f.req.Host, f.req.Target)
		if given, ok := f.engine.replies.Get(address, f.req.Header, time.Now(), f.route.Reply.Stale); ok {
			f.answerStale(given)
			return
		}
	}
	f.maintenance()
}

const cacheStatus = "Cache-Status" // RFC 9211

func (f *flight) answerStale(given stale.Given) {
	seconds := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
	header := slices.Concat(given.Header, []continuity.Field{
		{Name: "Age", Value: seconds(given.Age)},
		{Name: stateHeader, Value: stateStale},
		{Name: cacheStatus, Value: "holdfast; hit; ttl=" + seconds(given.TTL)},
	})
	status, body := given.Status, given.Body
	if matches(f.req.Get("If-None-Match"), header) {
		status, body = http.StatusNotModified, nil
		header = slices.DeleteFunc(header, func(h continuity.Field) bool {
			return strings.HasPrefix(strings.ToLower(h.Name), "content-") && !strings.EqualFold(h.Name, "Content-Location")
		})
	}
	f.done(Stale, status)
	_ = f.x.Respond(status, header, body) // a client that left can't be told
}

// matches reports whether a reader has the response already (RFC 9110, 13.1.2).
func matches(condition string, header []continuity.Field) bool {
	if condition == "" {
		return false
	}
	tag := ""
	for _, h := range header {
		if strings.EqualFold(h.Name, "ETag") {
			tag = strings.TrimPrefix(h.Value, "W/")
		}
	}
	for item := range strings.SplitSeq(condition, ",") {
		item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
		if item == "*" || tag != "" && item == tag {
			return true
		}
	}
	return false
}
