package flow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// step is a step that is ready to be sent.
type step struct {
	*Step
	after    bool // of the clean-up
	headers  map[string]template
	json     any // of templates, numbers, lists and maps
	status   [][2]int
	pointers [][]string // of Expect.JSON
	saves    []saved
}

// saved is where a value stands in an answer.
type saved struct {
	name    string
	pattern *regexp.Regexp
	pointer []string
	from    *Save
}

type number string

// MarshalJSON writes a number as it stands in the flow.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// needs is a variable that a step uses and the run lacks; empty if there is
// none.
func (s *step) needs(v variables) string {
	texts := []string{s.URL, s.Expect.Body, s.Expect.Not, s.Expect.SHA256}
	for _, h := range s.headers {
		texts = append(texts, string(h))
	}
	for _, j := range s.Expect.JSON {
		texts = append(texts, j.Is, j.Matches)
	}
	texts = slices.AppendSeq(texts, maps.Values(s.Expect.Header))
	if b := s.Body; b != nil {
		texts = append(texts, b.Text)
		texts = slices.AppendSeq(texts, maps.Values(b.Form))
		if b.File != nil {
			texts = append(texts, b.File.Name, b.File.Field)
		}
	}
	for _, text := range texts {
		if _, missing := v.fill(template(text), nil); missing != "" {
			return missing
		}
	}
	_, missing := expand(s.json, v)
	return missing
}

// expand puts the variables into a JSON body.
func expand(value any, v variables) (out any, missing string) {
	switch x := value.(type) {
	case template:
		return v.fill(x, nil)
	case map[string]any:
		all := make(map[string]any, len(x))
		for name, one := range x {
			var lacks string
			if all[name], lacks = expand(one, v); lacks != "" {
				missing = lacks
			}
		}
		return all, missing
	case []any:
		all := make([]any, len(x))
		for i, one := range x {
			var lacks string
			if all[i], lacks = expand(one, v); lacks != "" {
				missing = lacks
			}
		}
		return all, missing
	}
	return value, ""
}

// request makes the request of a step. What a file has is known to later steps.
func (s *step) request(ctx context.Context, base string, v variables) (*http.Request, error) {
	address, _ := v.address(template(s.URL))
	body, kind, err := s.content(v)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, s.Method, base+address, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "holdfast")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, value := range s.headers {
		text, _ := v.fill(value, nil)
		r.Header.Set(name, text)
	}
	return r, nil
}

func (s *step) content(v variables) (io.Reader, string, error) {
	b := s.Body
	switch {
	case b == nil:
		return nil, "", nil
	case s.json != nil || b.JSON.Node != nil:
		value, _ := expand(s.json, v)
		text, err := json.Marshal(value)
		return bytes.NewReader(text), "application/json", err
	case b.Text != "":
		text, _ := v.fill(template(b.Text), nil)
		kind := b.Type
		if kind == "" {
			kind = "text/plain; charset=utf-8"
		}
		return strings.NewReader(text), kind, nil
	case b.File != nil:
		return s.multipart(v)
	}
	form := url.Values{}
	for name, value := range b.Form {
		text, _ := v.fill(template(value), nil)
		form.Set(name, text)
	}
	return strings.NewReader(form.Encode()), "application/x-www-form-urlencoded", nil
}

// multipart makes a form with a file, whose bytes are the run's own.
func (s *step) multipart(v variables) (io.Reader, string, error) {
	f := s.Body.File
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(s.Body.Form)) {
		text, _ := v.fill(template(s.Body.Form[name]), nil)
		if err := w.WriteField(name, text); err != nil {
			return nil, "", err
		}
	}
	name, _ := v.fill(template(f.Name), nil)
	field, _ := v.fill(template(f.Field), nil)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="%s"`, quoted.Replace(field), quoted.Replace(name))},
		"Content-Type":        {f.Type},
	})
	if err != nil {
		return nil, "", err
	}
	content := make([]byte, f.Size)
	// Nobody has to guess them: they only differ from run to run.
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(v[varRun] + s.ID))).Read(content)
	sum := sha256.Sum256(content)
	v[s.ID+".sha256"], v[s.ID+".size"] = hex.EncodeToString(sum[:]), strconv.FormatInt(f.Size, 10)
	if _, err := part.Write(content); err != nil {
		return nil, "", err
	}
	return &out, w.FormDataContentType(), w.Close()
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "")
