package slack

import (
	"context"
	"strings"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

var _ notify.Gatherer = (*bot)(nil)

// Gather implements notify.Gatherer: a private channel, named by its key.
func (b *bot) Gather(ctx context.Context, g notify.Gathering) (notify.Gathered, error) {
	name := strings.ToLower("hf-" + g.Key)
	made, err := b.call(ctx, "conversations.create", map[string]any{"name": name[:min(len(name), 80)], "is_private": true})
	if err != nil {
		return notify.Gathered{}, err
	}
	if len(g.Members) > 0 {
		if _, err = b.call(ctx, "conversations.invite", map[string]any{"channel": made, "users": strings.Join(g.Members, ",")}); err != nil {
			return notify.Gathered{}, err
		}
	}
	_, err = b.call(ctx, "conversations.setTopic", map[string]any{"channel": made, "topic": g.Name})
	return notify.Gathered{ID: made}, err
}

// Part implements notify.Gatherer.
func (b *bot) Part(ctx context.Context, id string) error {
	_, err := b.call(ctx, "conversations.archive", map[string]any{"channel": id})
	return err
}

// call asks one method and returns the id of the channel that it answers with.
func (b *bot) call(ctx context.Context, method string, body map[string]any) (string, error) {
	token, err := httpsend.Secret(b.tools, b.Token)
	if err != nil {
		return "", err
	}
	req, err := httpsend.JSON(ctx, b.API+"/"+method, body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := httpsend.Ask(b.client, req)
	if err != nil {
		return "", err
	}
	var said struct {
		OK      *bool  `json:"ok"`
		Error   string `json:"error"`
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
	}
	readable := answer.Read(&said) && said.OK != nil
	switch {
	case readable && *said.OK && answer.OK():
		return said.Channel.ID, nil
	case readable && !*said.OK, !answer.OK():
		return "", answer.Failure(codes, said.Error, b.tools.Now())
	}
	return "", answer.Strange()
}
