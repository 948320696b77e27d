package sign

import (
	"context"
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// Rewriter sends requests to where the provider expects them, of clients that
// were only told another base URL.
type Rewriter struct {
	next upstream.Sender
	to   continuity.Rewrite
}

// NewRewriter puts a Rewriter before a Sender.
func NewRewriter(next upstream.Sender, to continuity.Rewrite) *Rewriter { return &Rewriter{next, to} }

// Send implements upstream.Sender.
func (r *Rewriter) Send(ctx context.Context, a upstream.Attempt) upstream.Result {
	if r.to.Host != "" {
		a.Host = r.to.Host
	}
	a.Target = r.target(a.Target)
	a.Header = slices.DeleteFunc(slices.Clone(a.Header), internal)
	return r.next.Send(ctx, a)
}

// internal reports whether a field tells who in the house sent a request. That
// is none of the provider's business.
func internal(f continuity.Field) bool {
	return len(f.Name) > len("X-Forwarded-") && strings.EqualFold(f.Name[:len("X-Forwarded-")], "X-Forwarded-")
}

// target changes the path; a path outside what is to be stripped stays whole.
func (r *Rewriter) target(target string) string {
	if r.to.Strip != "" {
		if rest, ok := strings.CutPrefix(target, r.to.Strip); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
			target = rest
			if !strings.HasPrefix(target, "/") {
				target = "/" + target
			}
		}
	}
	return r.to.Prefix + target
}
