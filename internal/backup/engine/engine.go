package engine

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/target"
)

// Options are what an engine works with.
type Options struct {
	Ring    *backupkey.Ring
	Targets []Target
	Scratch string // a folder for restores; empty: of the system
	Version string // of this program
	Log     *slog.Logger

	// Stall is how long a target may take nothing, while others wait for it, before it is
	// given up. Zero: 2 minutes.
	Stall time.Duration
}

// Target is a place for backups, by its name in the settings.
type Target struct {
	Name string
	Copy string // local or remote
	At   Place
	// Prune is the same place by an identity that may delete; nil: by At.
	Prune Place
}

// Place is where files lie.
type Place interface {
	// Put writes a file whole, or not at all: when it returns well the file is durable.
	Put(ctx context.Context, name string, r io.Reader) error
	Open(ctx context.Context, name string) (io.ReadCloser, int64, error)
	// List lists the files whose names begin so.
	List(ctx context.Context, prefix string) ([]Object, error)
	Delete(ctx context.Context, name string) error
	// Sweep removes what uploads left that never ended, once nobody wrote to it for so long.
	Sweep(ctx context.Context, age time.Duration) (int, error)
}

// Object is a file.
type Object = target.Object

// Set is a data set. Who only lists or looks at it needs no Driver.
type Set struct {
	Service, ID string
	Kind        string // of its driver
	Driver      backup.Driver
	Queries     []backup.Query
	Tables      []string // of a shared server, only these
	Rules       backup.Rules
	Targets     []string // names; none: all
}

// Folder is where the set lies on each target.
func (s Set) Folder() string { return backup.Name{Service: s.Service, Set: s.ID}.Folder() }

// Engine carries out backups. It may be used by several at once; of one set it captures
// one piece at a time.
type Engine struct {
	o     Options
	known cache

	mu   sync.Mutex
	busy map[string]bool // sets that are being captured
}

// New makes an engine.
func New(o Options) (*Engine, error) {
	if o.Scratch == "" {
		o.Scratch = filepath.Join(os.TempDir(), "holdfast-scratch")
	}
	if o.Stall == 0 {
		o.Stall = 2 * time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ring == nil || len(o.Targets) == 0 {
		return nil, continuity.E(continuity.CodeInvalid, nil, "detail_id", "backup.invalid.targets")
	}
	seen := map[string]bool{}
	targets := slices.Clone(o.Targets)
	for i, t := range targets {
		if t.Name == "" || t.At == nil || seen[t.Name] {
			return nil, continuity.E(continuity.CodeInvalid, nil, "detail_id", "backup.invalid.targets")
		}
		seen[t.Name] = true
		if t.Prune == nil {
			targets[i].Prune = t.At
		}
	}
	o.Targets = targets
	return &Engine{o: o, busy: map[string]bool{}}, nil
}
