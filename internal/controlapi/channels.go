package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

// ChannelInfo is a channel of the node, and what is known of it.
type ChannelInfo struct {
	ID       string            `json:"id"`
	Kind     string            `json:"kind"`
	State    string            `json:"state" enum:"up,failing,unknown"`
	Since    time.Time         `json:"since,omitzero"`
	LastSent time.Time         `json:"last_sent,omitzero"`
	Failure  string            `json:"failure,omitempty"` // a code
	Said     string            `json:"said,omitempty"`    // the provider's own code of it
	Status   int               `json:"status,omitempty"`  // of HTTP or SMTP
	Test     *continuity.Trial `json:"test,omitempty"`    // the last
	Address  string            `json:"address,omitempty"` // the kind of addresses that it sends to; none: rooms
	Hook     string            `json:"hook,omitempty"`    // where its provider reports
}

// ChannelTest is what a test of a channel needs.
type ChannelTest struct {
	To       string `json:"to,omitempty" maxLength:"300"`
	Language string `json:"language,omitempty" enum:"en,zh"`
}

// ChannelTested is what a test found.
type ChannelTested struct {
	Trial  continuity.Trial `json:"trial"`
	Advice []ChannelAdvice  `json:"advice" nullable:"false"`
	Linked bool             `json:"linked"` // the message has a link by which its reader confirms it
}

// ChannelAdvice is one thing that was looked at.
type ChannelAdvice struct {
	Level string         `json:"level" enum:"ok,warning,error"`
	Code  string         `json:"code"`
	Args  map[string]any `json:"args,omitempty"`
}

// Channels are the ways by which the node sends.
type Channels interface {
	Channels(ctx context.Context) ([]ChannelInfo, error)
	Channel(ctx context.Context, id string) (ChannelInfo, error)
	Test(ctx context.Context, by continuity.Actor, id string, want ChannelTest) (ChannelTested, error)
}

// testTime is how long a test may take: sending, looking for it, advice.
const testTime = 2 * time.Minute

func registerChannels(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/channels", ID: "listChannels", Scope: access.ChannelsRead}, s.listChannels)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/channels/{id}", ID: "getChannel", Scope: access.ChannelsRead}, s.getChannel)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/channels/{id}/test", ID: "testChannel", Scope: access.ChannelsWrite, Time: testTime}, s.testChannel)
}

func (s *server) listChannels(ctx context.Context, in *struct{ Paging }) (*list[ChannelInfo], error) {
	all, err := s.Channels.Channels(ctx)
	if err != nil {
		return nil, err
	}
	page, next := pageOf(all, func(c ChannelInfo) string { return c.ID }, in.Paging)
	return listOf(page, next), nil
}

func (s *server) getChannel(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"63"`
}) (*plain[ChannelInfo], error) {
	info, err := s.Channels.Channel(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &plain[ChannelInfo]{info}, nil
}

func (s *server) testChannel(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"63"`
	Body ChannelTest
}) (*plain[ChannelTested], error) {
	tested, err := s.Channels.Test(ctx, actorOf(ctx), in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	return &plain[ChannelTested]{tested}, nil
}
