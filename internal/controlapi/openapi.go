package controlapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"holdfast/internal/catalogue"
)

// documents are the OpenAPI document in each language, made when first asked for:
// by then all operations are registered.
type documents struct {
	mu   sync.Mutex
	made map[catalogue.Lang][]byte
}

func (s *server) openapi(w http.ResponseWriter, r *http.Request) {
	doc, err := s.document(catalogue.Accept(r.Header.Get("Accept-Language")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(doc) // #nosec G705 -- JSON, and never sniffed
}

func (s *server) document(lang catalogue.Lang) ([]byte, error) {
	s.docs.mu.Lock()
	defer s.docs.mu.Unlock()
	if doc, ok := s.docs.made[lang]; ok {
		return doc, nil
	}
	text, err := json.Marshal(s.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(worded(tree, lang))
	if err != nil {
		return nil, err
	}
	if s.docs.made == nil {
		s.docs.made = map[catalogue.Lang][]byte{}
	}
	s.docs.made[lang] = doc
	return doc, nil
}

// worded puts texts in the place of their ids.
func worded(node any, lang catalogue.Lang) any {
	switch v := node.(type) {
	case map[string]any:
		for name, child := range v {
			v[name] = worded(child, lang)
		}
	case []any:
		for i, child := range v {
			v[i] = worded(child, lang)
		}
	case string:
		if strings.HasPrefix(v, "controlapi.") {
			return catalogue.Text(lang, v, nil)
		}
	}
	return node
}
