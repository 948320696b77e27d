package notices

import (
	"context"
	"net/http"

	"holdfast/internal/outgoing/fetch"
)

// Web gets a source's document by HTTP.
type Web struct {
	client *http.Client
	url    string
	auth   Secret
	accept string
	most   int64
}

// NewWeb makes one; most is how many bytes are read.
func NewWeb(s *Spec, tools *Tools, accept string, most int64) (*Web, error) {
	client, err := tools.Client(s)
	if err != nil {
		return nil, err
	}
	return &Web{client, s.URL, s.Auth, accept, most}, nil
}

// Get gets the document, if it is not the one that is marked.
func (w *Web) Get(ctx context.Context, mark fetch.Mark) (fetch.Answer, error) {
	r := fetch.Request{URL: w.url, Mark: mark, Accept: w.accept, Most: w.most}
	if w.auth != nil {
		auth, err := w.auth()
		if err != nil {
			return fetch.Answer{}, fetch.Fail(fetch.Secret, err)
		}
		r.Auth = auth
	}
	return fetch.Get(ctx, w.client, r)
}
