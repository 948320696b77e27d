package engine

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
)

// Outcome is how it went with one target.
type Outcome struct {
	Target string
	Err    error // nil: the piece lies there, whole
}

func good(outcomes []Outcome) bool {
	for _, o := range outcomes {
		if o.Err == nil {
			return true
		}
	}
	return false
}

func failures(outcomes []Outcome) error {
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, o.Err)
	}
	return errors.Join(errs...)
}

// store gives a piece to several targets at once. write writes the plain stream, and says
// in the manifest what is known of it only then. The error is write's: then nothing was
// published anywhere.
func (e *Engine) store(ctx context.Context, targets []Target, m *backup.Manifest, write func(context.Context, io.Writer) error) ([]Outcome, error) {
	m.Format, m.File = manifestFormat, m.Name().File()
	if err := m.Name().Check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &fan{stall: e.o.Stall}
	path := m.Path() // while write fills in the manifest
	for _, t := range targets {
		f.start(ctx, func(ctx context.Context, r io.Reader) error { return t.At.Put(ctx, path, r) })
	}
	file, err := e.seal(ctx, f, m, write)
	ends := f.close(err)
	outcomes := make([]Outcome, len(targets))
	for i, t := range targets {
		outcomes[i] = Outcome{t.Name, ends[i]}
	}
	switch {
	case errors.Is(err, errAllGone):
		return outcomes, nil
	case err != nil:
		return outcomes, err
	}
	m.Bytes, m.SHA256, m.Plain, m.Key = file.Bytes, file.SHA256, file.Plain, file.Key
	raw, err := backupfile.SignManifest(*m, e.o.Ring)
	if err != nil {
		return outcomes, err
	}
	var wait sync.WaitGroup
	for i, t := range targets {
		if ends[i] == nil {
			wait.Go(func() { outcomes[i].Err = e.put(ctx, t, path+backup.ManifestSuffix, raw) })
		}
	}
	wait.Wait()
	return outcomes, nil
}

// seal writes the file of a piece.
func (e *Engine) seal(ctx context.Context, to io.Writer, m *backup.Manifest, write func(context.Context, io.Writer) error) (backupfile.Written, error) {
	file, err := backupfile.NewWriter(to, e.o.Ring, backupfile.BoundOf(*m))
	if err != nil {
		return backupfile.Written{}, err
	}
	defer file.Abort()
	if m.Type != backup.TypeLog {
		if err := write(ctx, file); err != nil {
			return backupfile.Written{}, err
		}
		return file.Close()
	}
	sum := e.contentSum(m.Name().Folder())
	if err := write(ctx, io.MultiWriter(file, sum)); err != nil {
		return backupfile.Written{}, err
	}
	m.Content = hex.EncodeToString(sum.Sum(nil))
	return file.Close()
}

// contentSum makes sums by which spans of a set's log can be known for the same. Nobody
// else can make them: the key is a signature that is told nowhere.
func (e *Engine) contentSum(folder string) hash.Hash {
	_, key := e.o.Ring.Sign([]byte("holdfast backup content 1\n" + folder))
	return hmac.New(sha256.New, key)
}

// put writes a small file, and gives up a target that does not take it.
func (e *Engine) put(ctx context.Context, t Target, name string, raw []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.o.Stall, errStalled)
	defer cancel()
	err := t.At.Put(ctx, name, bytes.NewReader(raw))
	if err != nil && context.Cause(ctx) == errStalled {
		err = errors.Join(errStalled, err)
	}
	return err
}

func now() time.Time { return time.Now().UTC() }
