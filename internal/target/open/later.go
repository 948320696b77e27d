package open

import (
	"context"
	"io"
	"sync"
	"time"

	"holdfast/internal/target"
)

// Place is a target that is opened when it is first used: one that is away keeps no other
// from being used, and is opened anew the next time.
type Place struct {
	open func(context.Context) (target.Target, error)

	mu sync.Mutex
	at target.Target
}

// Later makes a place of what opens it.
func Later(open func(context.Context) (target.Target, error)) *Place { return &Place{open: open} }

func (p *Place) now(ctx context.Context) (target.Target, error) {
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

// Put is [target.Target]'s.
func (p *Place) Put(ctx context.Context, name string, r io.Reader) error {
	at, err := p.now(ctx)
	if err != nil {
		return err
	}
	return at.Put(ctx, name, r)
}

// Open is [target.Target]'s.
func (p *Place) Open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	at, err := p.now(ctx)
	if err != nil {
		return nil, 0, err
	}
	return at.Open(ctx, name)
}

// List is [target.Target]'s.
func (p *Place) List(ctx context.Context, prefix string) ([]target.Object, error) {
	at, err := p.now(ctx)
	if err != nil {
		return nil, err
	}
	return at.List(ctx, prefix)
}

// Delete is [target.Target]'s.
func (p *Place) Delete(ctx context.Context, name string) error {
	at, err := p.now(ctx)
	if err != nil {
		return err
	}
	return at.Delete(ctx, name)
}

// Sweep is [target.Target]'s.
func (p *Place) Sweep(ctx context.Context, age time.Duration) (int, error) {
	at, err := p.now(ctx)
	if err != nil {
		return 0, err
	}
	return at.Sweep(ctx, age)
}
