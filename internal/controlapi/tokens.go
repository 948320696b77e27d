package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
)

// Token is a part of its maker's self, for a program.
type Token struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Maker  string         `json:"maker,omitempty"` // none: the node's own token
	Scopes []access.Scope `json:"scopes" nullable:"false"`
	Now    []access.Scope `json:"now" nullable:"false"` // what it may at present
	Made   time.Time      `json:"made"`
	Until  time.Time      `json:"until"`
	Used   time.Time      `json:"used,omitzero"` // to within minutes
}

func shownToken(t access.Token) Token {
	shown := Token{ID: t.ID, Name: t.Name, Maker: t.Maker, Scopes: t.Scopes, Now: t.Now, Made: t.Made, Until: t.Until, Used: t.Used}
	if shown.Now == nil {
		shown.Now = []access.Scope{}
	}
	return shown
}

// NewToken is a token with its secret, which is shown here only.
type NewToken struct {
	Token

	Secret string `json:"secret"`
}

func registerTokens(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/tokens", ID: "listTokens", Anyone: true}, s.listTokens)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/tokens", ID: "addToken", Scope: access.TokensWrite, Status: http.StatusCreated, Private: true}, s.addToken)
	register(s, operation{Method: http.MethodDelete, Path: "/api/v1/tokens/{id}", ID: "revokeToken", Scope: access.TokensWrite}, s.revokeToken)
}

// listTokens answers with one page: a maker has few tokens.
func (s *server) listTokens(ctx context.Context, _ *struct{}) (*list[Token], error) {
	all, err := s.Access.Tokens(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	var items []Token
	for _, t := range all {
		items = append(items, shownToken(t))
	}
	return listOf(items, ""), nil
}

func (s *server) addToken(ctx context.Context, in *struct {
	Body struct {
		Name    string         `json:"name" minLength:"1" maxLength:"200"`
		Scopes  []access.Scope `json:"scopes" minItems:"1" maxItems:"100"`
		Seconds int64          `json:"seconds,omitempty" minimum:"60" maximum:"63244800"` // that it holds; 90 days
		Reason  string         `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*plain[NewToken], error) {
	b := in.Body
	made, err := s.Access.AddToken(ctx, callerOf(ctx), access.NewToken{Name: b.Name, Scopes: b.Scopes, For: time.Duration(b.Seconds) * time.Second, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return &plain[NewToken]{NewToken{shownToken(made.Of), made.Secret.Reveal()}}, nil
}

func (s *server) revokeToken(ctx context.Context, in *struct {
	ID     string `path:"id"`
	Reason string `query:"reason" maxLength:"1000"`
}) (*nothing, error) {
	return nil, s.Access.RevokeToken(ctx, callerOf(ctx), in.ID, in.Reason)
}
