package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
	"holdfast/internal/continuity"
)

// Listing is what one target has of a set.
type Listing struct {
	Target string
	Copy   string
	Pieces []backup.Manifest
	Chains []backup.Chain
	Proofs []backup.Proof
	Bad    []Bad
	Lone   []string // files of pieces without a manifest: lost, or still to come
	Err    error    // the target could not be asked: nothing else says anything then
}

// Bad is a file beside a piece that is not what was signed, or can't be read by these keys.
type Bad struct {
	Name string
	Err  error
}

// Offer is what the listing can bring back.
func (l Listing) Offer(set Set) backup.Offer {
	return backup.Offer{Service: set.Service, Set: set.ID, Target: l.Target, Chains: l.Chains, Proofs: l.Proofs}
}

// Piece finds a piece by its id.
func (l Listing) Piece(id string) (backup.Manifest, bool) {
	i := slices.IndexFunc(l.Pieces, func(m backup.Manifest) bool { return m.ID == id })
	if i < 0 {
		return backup.Manifest{}, false
	}
	return l.Pieces[i], true
}

// What is wrong with a manifest whose file is not there, or is not the one that was
// written. That is seen before anybody reads it: what was proven of it is true no more.
var (
	errGone = errors.New("the file is gone, its manifest is not")
	errSize = errors.New("the file has not the size that its manifest tells")
)

const readers = 8 // of small files, at once

// limit of what is read as a manifest or a proof.
const smallBytes = backupfile.MaxDocument + 1024

// cache keeps what was read of small files: a manifest never changes, a proof is written
// anew.
type cache struct {
	mu    sync.Mutex
	files map[string]cached // by target and name
}

type cached struct {
	size     int64
	modified time.Time
	manifest backup.Manifest
	proof    backup.Proof
	err      error
}

// List says what each of the set's targets has of it. A target that can't be asked is told
// of in its listing.
func (e *Engine) List(ctx context.Context, set Set) []Listing {
	targets := e.targets(set)
	all := make([]Listing, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() { all[i] = e.list(ctx, t, set) })
	}
	wait.Wait()
	return all
}

func (e *Engine) list(ctx context.Context, t Target, set Set) Listing {
	l := Listing{Target: t.Name, Copy: t.Copy}
	objects, err := t.At.List(ctx, set.Folder()+"/")
	if err != nil {
		l.Err = err
		return l
	}
	there := map[string]int64{}
	for _, o := range objects {
		there[o.Name] = o.Size
	}
	for _, o := range objects {
		_, bad := backup.ParseName(o.Name)
		if _, told := there[o.Name+backup.ManifestSuffix]; bad == nil && !told {
			l.Lone = append(l.Lone, o.Name)
		}
	}
	objects = slices.DeleteFunc(objects, func(o Object) bool {
		file, beside := strings.CutSuffix(o.Name, backup.ManifestSuffix)
		if !beside {
			file, beside = strings.CutSuffix(o.Name, backup.ProofSuffix)
		}
		_, bad := backup.ParseName(file)
		return !beside || bad != nil
	})
	found, err := e.read(ctx, t, objects)
	if err != nil {
		l.Err = err
		return l
	}
	for i, o := range objects {
		f := found[i]
		size, lies := there[f.manifest.Path()]
		switch {
		case f.err != nil:
			if continuity.CodeOf(f.err) != continuity.CodeNotFound { // it went meanwhile
				l.Bad = append(l.Bad, Bad{o.Name, f.err})
			}
		case f.proof.Piece != "":
			l.Proofs = append(l.Proofs, f.proof)
		case !lies:
			l.Bad = append(l.Bad, Bad{o.Name, damaged(f.manifest.Path(), errGone)})
		case size != f.manifest.Bytes:
			l.Bad = append(l.Bad, Bad{o.Name, damaged(f.manifest.Path(), errSize)})
		default:
			l.Pieces = append(l.Pieces, f.manifest)
		}
	}
	l.Chains = backup.Assemble(l.Pieces)
	return l
}

// read reads small files, several at once. An error says that the target could not be
// asked; what is wrong with a file is said of it.
func (e *Engine) read(ctx context.Context, t Target, objects []Object) ([]cached, error) {
	found := make([]cached, len(objects))
	work := make(chan int)
	errs := make([]error, readers)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	for n := range readers {
		wait.Go(func() {
			for i := range work {
				var err error
				if found[i], err = e.readOne(ctx, t, objects[i]); err != nil {
					errs[n] = err
					cancel()
					return
				}
			}
		})
	}
	for i := range objects {
		select {
		case work <- i:
		case <-ctx.Done():
		}
	}
	close(work)
	wait.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return found, errors.Join(append(errs, ctx.Err())...)
}

func (e *Engine) readOne(ctx context.Context, t Target, o Object) (cached, error) {
	key := t.Name + "\x00" + o.Name
	if c, ok := e.known.get(key); ok && c.size == o.Size && c.modified.Equal(o.Modified) {
		return c, nil
	}
	c := cached{size: o.Size, modified: o.Modified}
	raw, err := readSmall(ctx, t.At, o.Name)
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
		c.err = err
		return c, nil
	case err != nil:
		return c, err
	case strings.HasSuffix(o.Name, backup.ProofSuffix):
		c.proof, c.err = e.proofOf(strings.TrimSuffix(o.Name, backup.ProofSuffix), raw)
	default:
		c.manifest, c.err = e.manifestOf(strings.TrimSuffix(o.Name, backup.ManifestSuffix), raw)
	}
	e.known.put(key, c)
	return c, nil
}

func readSmall(ctx context.Context, at Place, name string) ([]byte, error) {
	r, _, err := at.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, smallBytes))
	return raw, errors.Join(err, r.Close())
}

func (c *cache) get(key string) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.files[key]
	return found, ok
}

func (c *cache) put(key string, found cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[string]cached{}
	}
	c.files[key] = found
}

// forget is called with what was deleted.
func (c *cache) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.files, key)
}

// targets are the set's, in the order of the settings.
func (e *Engine) targets(set Set) []Target {
	if len(set.Targets) == 0 {
		return e.o.Targets
	}
	return slices.DeleteFunc(slices.Clone(e.o.Targets), func(t Target) bool { return !slices.Contains(set.Targets, t.Name) })
}

// Sets finds what sets there are on the targets, by the names of files alone.
func (e *Engine) Sets(ctx context.Context) ([]Set, error) {
	seen := map[string]Set{}
	var errs []error
	for _, t := range e.o.Targets {
		objects, err := t.At.List(ctx, "")
		errs = append(errs, err)
		for _, o := range objects {
			if n, bad := backup.ParseName(strings.TrimSuffix(o.Name, backup.ManifestSuffix)); bad == nil {
				seen[n.Folder()] = Set{Service: n.Service, ID: n.Set}
			}
		}
	}
	all := make([]Set, 0, len(seen))
	for _, s := range seen {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Set) int { return strings.Compare(a.Folder(), b.Folder()) })
	if err := errors.Join(errs...); err != nil && len(all) == 0 {
		return nil, err
	}
	return all, nil
}
