package wecom

import (
	"context"
	"net/url"
	"slices"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

var _ notify.Gatherer = (*app)(nil)

// gathering is a group chat of an app; WeCom makes one of two members or more, whose
// id is ours.
type gathering struct {
	ID      string   `json:"chatid"`
	Name    string   `json:"name"`
	Members []string `json:"userlist"`
}

// longestChat is the most letters that the id of a group has.
const longestChat = 32

// Gather implements notify.Gatherer.
func (a *app) Gather(ctx context.Context, g notify.Gathering) (notify.Gathered, error) {
	id := g.Key[:min(len(g.Key), longestChat)]
	if len(g.Members) < 2 {
		return notify.Gathered{}, &notify.Failure{Code: notify.FailAddress}
	}
	body, refused := gathering{id, g.Name, g.Members}, ""
	for {
		token, err := a.token(ctx, refused)
		if err != nil {
			return notify.Gathered{}, err
		}
		req, err := httpsend.JSON(ctx, a.API+"/cgi-bin/appchat/create?access_token="+url.QueryEscape(token), body)
		if err != nil {
			return notify.Gathered{}, err
		}
		answer, err := httpsend.Ask(a.client, req)
		if err != nil {
			return notify.Gathered{}, err
		}
		_, failure := read(answer, a.tools.Now())
		switch {
		case failure != nil && refused == "" && slices.Contains(stale, failure.Said):
			refused = token
		case failure != nil && failure.Said == exists: // by an attempt whose answer was lost
			return notify.Gathered{ID: id}, nil
		case failure != nil:
			return notify.Gathered{}, failure
		default:
			return notify.Gathered{ID: id}, nil
		}
	}
}

// exists is WeCom's code for a group's id that is taken.
const exists = "86215"

// Part implements notify.Gatherer: WeCom closes no group.
func (*app) Part(context.Context, string) error { return &notify.Failure{Code: notify.FailProvider} }
