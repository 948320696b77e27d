package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/warning"
)

// refused warns of what an engine can't bring on, one warning for each service, and
// ends those of what it can.
func (n *Node) refused(engine string) func(context.Context, []follow.Refusal) error {
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: engine, Via: n.name}
	return func(ctx context.Context, all []follow.Refusal) error {
		services := map[string][]follow.Refusal{}
		for _, r := range all {
			services[r.Service] = append(services[r.Service], r)
		}
		for cursor := ""; ; {
			page, next, err := n.store.List(ctx, continuity.Query{Kind: warning.KindSignal, Cursor: cursor, Limit: 1000})
			if err != nil {
				return err
			}
			for i := range page {
				var s continuity.Signal
				if json.Unmarshal(page[i].Body, &s) != nil || s.Source != continuity.FromEngine || s.Rule != engine || services[s.Service] != nil {
					continue
				}
				if err := n.inbox.End(ctx, by, s.Service, s.Source, s.Rule); err != nil {
					return err
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		for _, service := range sortedKeys(services) {
			if err := n.inbox.Raise(ctx, by, stuck(engine, service, services[service])); err != nil {
				return err
			}
		}
		return nil
	}
}

// mostStuck bounds what is named of what does not go on.
const mostStuck = 5

// stuck is the signal that something does not go on.
func stuck(engine, service string, all []follow.Refusal) continuity.Signal {
	since := slices.MinFunc(all, func(a, b follow.Refusal) int { return a.Since.Compare(b.Since) }).Since
	var named []string
	for i := range all[:min(len(all), mostStuck)] {
		named = append(named, all[i].Kind+"/"+all[i].ID+" ("+string(all[i].Code)+")")
	}
	if len(all) > mostStuck {
		named = append(named, "…")
	}
	return continuity.Signal{
		Service: service, Source: continuity.FromEngine, Rule: engine, Level: continuity.LevelOrange, At: since.UTC().Truncate(time.Second),
		Text: both("warning.stuck", func(catalogue.Lang) catalogue.Args {
			return catalogue.Args{"objects": strings.Join(named, ", ")}
		}),
	}
}
