package relay

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/http1"
)

// preference is what a client says it prefers (RFC 7240).
type preference struct {
	async bool
	wait  time.Duration
}

func (f *flight) preference() (p preference) {
	for i := range f.req.Header {
		field := f.req.Header[i]
		if len(field.Name) != len("Prefer") || !strings.EqualFold(field.Name, "Prefer") {
			continue
		}
		for item := range strings.SplitSeq(field.Value, ",") {
			item, _, _ = strings.Cut(item, ";")
			name, value, _ := strings.Cut(item, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = true
			case "wait":
				if n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31); err == nil {
					p.wait = time.Duration(n) * time.Second // #nosec G115 -- 31 bits
				}
			}
		}
	}
	return p
}

// languages chooses the language of an answer. Clients send few different
// fields, and reading one costs more than keeping a request.
type languages struct {
	chosen sync.Map // by field
	count  atomic.Int64
}

const (
	longLanguage  = 128
	manyLanguages = 256
)

func (l *languages) of(req *http1.Request) catalogue.Lang {
	field := req.Get("Accept-Language")
	if field == "" {
		return catalogue.En
	}
	if lang, ok := l.chosen.Load(field); ok {
		return lang.(catalogue.Lang)
	}
	lang := catalogue.Accept(field)
	if len(field) <= longLanguage && l.count.Add(1) <= manyLanguages {
		l.chosen.Store(strings.Clone(field), lang)
	}
	return lang
}
