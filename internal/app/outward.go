package app

import (
	"holdfast/internal/continuity"
	"holdfast/internal/mint"
	"holdfast/internal/sign"
	"holdfast/internal/upstream"
)

// minting puts a token on what is sent later for a verified caller, where the
// route makes them. It comes before a signature, which may cover it.
func minting(r *continuity.Route, out upstream.Sender) upstream.Sender {
	if r.Hold.Mint == nil {
		return out
	}
	return mint.NewSender(out, *r.Hold.Mint)
}

// outward puts before each route's sender what the route does to every attempt,
// live and in replay: it goes where the provider expects it, and is signed last.
func outward(routes []continuity.Route, senders map[string]*upstream.HTTP) (map[string]upstream.Sender, error) {
	outs := make(map[string]upstream.Sender, len(routes))
	for _, r := range routes {
		var out upstream.Sender = senders[r.ID]
		if r.Sign != nil {
			tokens := out
			if r.Rewrite != nil && r.Rewrite.Prefix != "" {
				tokens = sign.NewRewriter(out, continuity.Rewrite{Prefix: r.Rewrite.Prefix})
			}
			signer, err := sign.New(*r.Sign, tokens)
			if err != nil {
				return nil, err
			}
			out = sign.NewSender(out, signer)
		}
		if r.Rewrite != nil {
			out = sign.NewRewriter(out, *r.Rewrite)
		}
		outs[r.ID] = minting(&r, out)
	}
	return outs, nil
}
