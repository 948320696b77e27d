package kinds

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"time"

	"holdfast/internal/notices"
	"holdfast/internal/notices/feed"
	"holdfast/internal/notices/ical"
	"holdfast/internal/notices/mailbox"
	"holdfast/internal/notices/page"
	"holdfast/internal/notices/statuspage"
	"holdfast/internal/outgoing/plain"
)

// ReadFile reads a file that somebody saved from a source, as that source would:
// by its ending, and where that tells nothing by how it begins.
func ReadFile(ctx context.Context, name string, src []byte, selector string, zone *time.Location, now time.Time) (notices.Look, error) {
	begins := string(bytes.TrimSpace(bytes.TrimPrefix(src[:min(len(src), 512)], []byte("\ufeff"))))
	switch ending := strings.ToLower(filepath.Ext(name)); {
	case ending == ".json" && !strings.Contains(begins, "jsonfeed.org"):
		return statuspage.Parse(src, nil)
	case ending == ".json", ending == ".xml", ending == ".atom", ending == ".rss", strings.HasPrefix(begins, "<?xml"):
		return feed.Parse(src)
	case ending == ".ics", strings.HasPrefix(begins, "BEGIN:VCALENDAR"):
		return ical.Parse(ctx, src, zone, now)
	case ending == ".eml":
		item, ok := mailbox.Parse(src, filepath.Base(name))
		if !ok {
			return notices.Look{Left: 1}, nil
		}
		return notices.Look{Items: []notices.Item{item}}, nil
	case ending == ".html", ending == ".htm":
		look, _, err := page.Parse(src, "", selector, nil, false)
		return look, err
	}
	text := plain.Tidy(string(src))
	title, body, _ := strings.Cut(text, "\n")
	if text == "" {
		return notices.Look{}, nil
	}
	return notices.Look{Items: []notices.Item{{Key: name, Title: title, Text: body}}}, nil
}
