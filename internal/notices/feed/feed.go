// Package feed reads RSS, Atom and JSON feeds.
package feed

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mmcdole/gofeed"

	"holdfast/internal/notices"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/outgoing/plain"
)

type source struct{ web *notices.Web }

// New reads the feed at a spec's URL.
func New(s *notices.Spec, tools *notices.Tools) (notices.Source, error) {
	web, err := notices.NewWeb(s, tools, "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.8", 4<<20)
	if err != nil {
		return nil, err
	}
	return &source{web}, nil
}

func (s *source) Read(ctx context.Context, from json.RawMessage) (notices.Look, error) {
	var mark fetch.Mark
	_ = json.Unmarshal(from, &mark) // of another form: read all
	answer, err := s.web.Get(ctx, mark)
	if err != nil || answer.Same {
		return notices.Look{Same: true, Next: from}, err
	}
	look, err := Parse(answer.Body)
	if err != nil {
		return look, err
	}
	look.Next, err = json.Marshal(answer.Mark)
	return look, err
}

// maxElements bounds what a parser builds of a document. Markup costs many times
// what it measures.
const maxElements = 50_000

// Parse reads a feed.
func Parse(src []byte) (look notices.Look, err error) {
	if bytes.Count(src, []byte("<")) > 2*maxElements {
		return look, fetch.Fail(fetch.Big, nil, "max", len(src)>>10)
	}
	defer func() { // the parser meets whatever people serve
		if recover() != nil {
			look, err = notices.Look{}, fetch.Fail(fetch.Format, errors.New("the parser gave up"))
		}
	}()
	parsed, err := gofeed.NewParser().Parse(bytes.NewReader(src))
	if err != nil {
		return look, fetch.Fail(fetch.Format, err)
	}
	for _, entry := range parsed.Items {
		if entry == nil {
			look.Left++
			continue
		}
		text := plain.FromHTML(cmp.Or(entry.Content, entry.Description))
		item := notices.Item{
			Key: cmp.Or(entry.GUID, entry.Link), Title: plain.Line(plain.FromHTML(entry.Title), 300), Text: text, URL: entry.Link,
			Written: written(entry.UpdatedParsed, entry.PublishedParsed),
		}
		if item.Title == "" && item.Text == "" {
			look.Left++
			continue
		}
		look.Items = append(look.Items, item)
	}
	look.Items = notices.Bound(look.Items)
	return look, nil
}

// written is the latest time that an entry bears.
func written(times ...*time.Time) (out time.Time) {
	for _, t := range times {
		if t != nil && t.After(out) {
			out = t.UTC()
		}
	}
	return out
}
