package control

import (
	"context"
	"io"
	"sync"

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
	return &laterPlace{open: func(ctx context.Context) (place.Target, error) {
		credentials := ""
		if ref != nil {
			text, err := v.node.o.Config.Source().Resolve(*ref)
			if err != nil {
				return nil, err
			}
			credentials = text.Reveal()
		}
		return open.Target(ctx, address, credentials)
	}}
}

// laterPlace is opened when it is used: one that is away keeps no other from being used,
// and is asked again the next time.
type laterPlace struct {
	open func(context.Context) (place.Target, error)

	mu sync.Mutex
	at place.Target
}

func (p *laterPlace) now(ctx context.Context) (place.Target, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		at, err := p.open(ctx)
		if err != nil {
			return nil, err
		}
		p.at = at
	}
	return p.at, nil
}

// Put implements engine.Place.
func (p *laterPlace) Put(ctx context.Context, name string, r io.Reader) error {
	at, err := p.now(ctx)
	if err != nil {
		return err
	}
	return at.Put(ctx, name, r)
}

// Open implements engine.Place.
func (p *laterPlace) Open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	at, err := p.now(ctx)
	if err != nil {
		return nil, 0, err
	}
	return at.Open(ctx, name)
}

// List implements engine.Place.
func (p *laterPlace) List(ctx context.Context, prefix string) ([]engine.Object, error) {
	at, err := p.now(ctx)
	if err != nil {
		return nil, err
	}
	return at.List(ctx, prefix)
}

// Delete implements engine.Place.
func (p *laterPlace) Delete(ctx context.Context, name string) error {
	at, err := p.now(ctx)
	if err != nil {
		return err
	}
	return at.Delete(ctx, name)
}
