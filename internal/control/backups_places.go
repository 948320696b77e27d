package control

import (
	"context"

	"holdfast/internal/backup/engine"
	"holdfast/internal/controlconfig"
	"holdfast/internal/secret"
	place "holdfast/internal/target"
	"holdfast/internal/target/open"
)

// target is a place of the settings as the engine wants it.
func (v *vault) target(t *controlconfig.Target) engine.Target {
	made := engine.Target{Name: t.ID, Copy: t.Copy, At: v.place(t.URL, t.Credentials)}
	if t.Prune != nil {
		made.Prune = v.place(t.URL, t.Prune)
	}
	return made
}

func (v *vault) place(address string, ref *secret.Ref) engine.Place {
	return open.Later(func(ctx context.Context) (place.Target, error) {
		credentials := ""
		if ref != nil {
			text, err := v.node.o.Config.Source().Resolve(*ref)
			if err != nil {
				return nil, err
			}
			credentials = text.Reveal()
		}
		return open.Target(ctx, address, credentials)
	})
}
