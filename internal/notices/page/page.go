// Package page reads a web page: a selector names the part where news stands.
//
// Where the selector finds several elements, each is an announcement. Where it
// finds one, or there is no selector, the page is compared line by line with
// what it was, and what is new is the announcement.
package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"

	"holdfast/internal/notices"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/outgoing/plain"
)

// Bounds of a page.
const (
	maxBytes = 2 << 20
	maxLines = 400 // are remembered and compared
	maxLine  = 160 // bytes of each
)

// noise is what stands on a page and says nothing.
var noise = map[atom.Atom]bool{atom.Nav: true, atom.Form: true, atom.Button: true, atom.Input: true}

type source struct {
	web      *notices.Web
	url      string
	selector string
}

// New reads the page at a spec's URL.
func New(s *notices.Spec, tools *notices.Tools) (notices.Source, error) {
	web, err := notices.NewWeb(s, tools, "text/html", maxBytes)
	if err != nil {
		return nil, err
	}
	return &source{web, s.URL, s.Selector}, nil
}

// memory is what the page was.
type memory struct {
	Mark  fetch.Mark `json:"mark"`
	Lines []string   `json:"lines,omitempty"`
}

func (s *source) Read(ctx context.Context, from json.RawMessage) (notices.Look, error) {
	var was memory
	if len(from) > 0 && json.Unmarshal(from, &was) != nil {
		was, from = memory{}, nil
	}
	answer, err := s.web.Get(ctx, was.Mark)
	if err != nil || answer.Same {
		return notices.Look{Same: true, Next: from}, err
	}
	look, lines, err := Parse(answer.Body, answer.Type, s.selector, was.Lines, len(from) == 0)
	if err != nil {
		return look, err
	}
	for i := range look.Items {
		look.Items[i].URL = s.absolute(look.Items[i].URL)
	}
	look.Next, err = json.Marshal(memory{answer.Mark, lines})
	return look, err
}

// absolute is where a link of the page leads.
func (s *source) absolute(link string) string {
	base, err := url.Parse(s.url)
	if err != nil {
		return ""
	}
	to, err := base.Parse(link)
	if err != nil || link == "" {
		return s.url
	}
	return to.String()
}

// Parse reads a page. was are the lines that it had, first says that it was not
// seen before; the lines that it has now come back.
func Parse(src []byte, contentType, selector string, was []string, first bool) (look notices.Look, now []string, err error) {
	defer func() { // parsers meet whatever people serve
		if recover() != nil {
			look, now, err = notices.Look{}, nil, fetch.Fail(fetch.Format, errors.New("the parser gave up"))
		}
	}()
	decoded, err := charset.NewReader(bytes.NewReader(src), contentType)
	if err != nil {
		return look, nil, fetch.Fail(fetch.Format, err)
	}
	doc, err := goquery.NewDocumentFromReader(decoded)
	if err != nil {
		return look, nil, fetch.Fail(fetch.Format, err)
	}
	found := doc.Find("body")
	if selector != "" {
		found = doc.Find(selector)
		if found.Length() == 0 { // the page was rebuilt, or is another one
			return look, nil, fetch.Fail(fetch.Format, errors.New("the selector finds nothing"), "selector", selector)
		}
	}
	if found.Length() > 1 {
		for _, n := range found.Nodes {
			if item, ok := announcement(n); ok {
				look.Items = append(look.Items, item)
			}
		}
		look.Items = notices.Bound(look.Items)
		return look, nil, nil
	}
	if found.Length() == 0 {
		return look, nil, fetch.Fail(fetch.Format, errors.New("no body"))
	}
	now = lines(text(found.Nodes[0]))
	if item, ok := difference(was, now, first); ok {
		look.Items = append(look.Items, item)
	}
	return look, now, nil
}

// announcement makes an item of one element of a list.
func announcement(n *html.Node) (notices.Item, bool) {
	whole := text(n)
	if whole == "" {
		return notices.Item{}, false
	}
	item := notices.Item{Title: title(whole), Text: whole, URL: link(n)}
	if item.Key = item.URL; item.Key == "" || strings.HasPrefix(item.Key, "#") || strings.HasPrefix(strings.ToLower(item.Key), "javascript:") {
		item.Key, item.URL = "text:"+sum(whole), ""
	}
	return item, true
}

func title(whole string) string {
	first, _, _ := strings.Cut(whole, "\n")
	return plain.Cut(first, 300)
}

// difference makes an item of the lines that were not there.
func difference(was, now []string, first bool) (notices.Item, bool) {
	var added []string
	for _, line := range now {
		if !slices.Contains(was, line) {
			added = append(added, line)
		}
	}
	if len(added) == 0 {
		return notices.Item{}, false
	}
	whole := plain.Tidy(strings.Join(added, "\n"))
	return notices.Item{Key: "text:" + sum(whole), Title: title(whole), Text: whole, Quiet: first}, true
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:10])
}

func lines(text string) (out []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && len(out) < maxLines {
			out = append(out, plain.Cut(line, maxLine))
		}
	}
	return out
}

// text is what people read of an element.
func text(root *html.Node) string {
	var b strings.Builder
	next := func(n *html.Node, down bool) *html.Node { // in the order of the document, without recursion
		if down && n.FirstChild != nil {
			return n.FirstChild
		}
		for n != root {
			gap(&b, n)
			if n.NextSibling != nil {
				return n.NextSibling
			}
			n = n.Parent
		}
		return nil
	}
	for n := root; n != nil && b.Len() < 1<<20; {
		down := true
		switch n.Type {
		case html.TextNode:
			b.WriteString(n.Data)
		case html.ElementNode:
			if down = !hidden(n); down {
				gap(&b, n)
			}
		}
		n = next(n, down)
	}
	return plain.Tidy(b.String())
}

// apart are elements that stand beside each other without a space, and apart on
// the screen.
var apart = map[atom.Atom]bool{atom.A: true, atom.Span: true, atom.Td: true, atom.Th: true, atom.Time: true, atom.Label: true}

// gap keeps apart what an element keeps apart.
func gap(b *strings.Builder, n *html.Node) {
	switch {
	case n.Type != html.ElementNode:
	case plain.Block(n.DataAtom):
		b.WriteByte('\n')
	case apart[n.DataAtom]:
		b.WriteByte(' ')
	}
}

func hidden(n *html.Node) bool {
	if plain.Hidden[n.DataAtom] || noise[n.DataAtom] {
		return true
	}
	for _, a := range n.Attr {
		if a.Key == "hidden" || a.Key == "aria-hidden" && a.Val == "true" {
			return true
		}
	}
	return false
}

// link is where an element of a list leads.
func link(root *html.Node) string {
	for n := range root.Descendants() {
		if n.DataAtom == atom.A {
			for _, a := range n.Attr {
				if a.Key == "href" && strings.TrimSpace(a.Val) != "" {
					return plain.Line(a.Val, 500)
				}
			}
		}
	}
	for _, a := range root.Attr {
		if root.DataAtom == atom.A && a.Key == "href" {
			return plain.Line(a.Val, 500)
		}
	}
	return ""
}
