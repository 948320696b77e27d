package controlapi

import (
	"context"
	"net/http"
	"strings"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// Previews say what a channel would.
type Previews interface {
	Preview(q PreviewQuery) (ChannelPreview, error)
}

// PreviewQuery asks what a template of a plan will say over a channel.
type PreviewQuery struct {
	Service, Template, Channel, Language string
	Set                                  map[string]string // values of the plan's fields
}

// ChannelPreview is what whoever is told will get.
type ChannelPreview struct {
	Service  string `json:"service"`
	Template string `json:"template"`
	Channel  string `json:"channel"` // of the plan
	Is       string `json:"is"`      // its kind
	Via      string `json:"via,omitempty"`
	Kind     string `json:"kind,omitempty"` // of the node's channel; empty: the node has none of that name
	To       string `json:"to,omitempty"`
	Language string `json:"language" enum:"en,zh"`

	Subject string   `json:"subject,omitempty"`
	Text    string   `json:"text"`           // with the signature where there is one
	Open    []string `json:"open,omitempty"` // fields for which nothing is known yet

	Code      string            `json:"code,omitempty"` // of the approved text
	Variables map[string]string `json:"variables,omitempty"`

	Characters int    `json:"characters"`
	Parts      int    `json:"parts,omitempty"` // of a text message
	Encoding   string `json:"encoding,omitempty" enum:"GSM-7,UCS-2"`
	Longest    int    `json:"longest,omitempty"` // characters that the provider takes

	PerMinute int           `json:"per_minute,omitempty"` // messages of the channel
	PerNumber []NumberLimit `json:"per_number,omitempty"` // that one address takes
}

// NumberLimit is how many messages one address takes.
type NumberLimit struct {
	Count   int `json:"count"`
	Seconds int `json:"seconds"`
}

func registerPreviews(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/channels/preview", ID: "previewChannel", Scope: access.PlansRead}, s.previewChannel)
}

func (s *server) previewChannel(_ context.Context, in *struct {
	Service  string   `query:"service" required:"true" maxLength:"128"`
	Template string   `query:"template" required:"true" maxLength:"128"`
	Channel  string   `query:"channel" required:"true" maxLength:"128"`
	Language string   `query:"language" enum:"en,zh" default:"zh"`
	Set      []string `query:"set,explode" maxItems:"50"` // FIELD=VALUE
}) (*plain[ChannelPreview], error) {
	q := PreviewQuery{Service: in.Service, Template: in.Template, Channel: in.Channel, Language: in.Language, Set: map[string]string{}}
	for _, pair := range in.Set {
		field, value, ok := strings.Cut(pair, "=")
		if !ok || field == "" {
			return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "wording.preview.set", "value", pair)
		}
		q.Set[field] = value
	}
	shown, err := s.Previews.Preview(q)
	if err != nil {
		return nil, err
	}
	return &plain[ChannelPreview]{shown}, nil
}
