package measure

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"golang.org/x/sys/unix"

	"holdfast/internal/continuity"
)

// Labels name a series; the one called __name__ is its metric's name.
type Labels = labels.Labels

// Series makes labels of a metric's name and pairs of a label and its value.
// An empty value is as good as no label.
func Series(name string, pairs ...string) Labels {
	b := labels.NewScratchBuilder(1 + len(pairs)/2)
	b.Add(model.MetricNameLabel, name)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b.Add(pairs[i], pairs[i+1])
		}
	}
	b.Sort()
	return b.Labels()
}

// Sample is one value of one series.
type Sample struct {
	Labels Labels
	At     time.Time
	Value  float64
}

// Gone is the value that says a series has ended: from its time on a query
// doesn't find the series, instead of finding its last value for five minutes.
func Gone(l Labels, at time.Time) Sample {
	return Sample{Labels: l, At: at, Value: staleNaN}
}

// Options bound what a DB takes. What is zero has its default.
type Options struct {
	Dir       string
	Retention time.Duration // 15 days
	MaxBytes  int64         // of blocks on disk; 2 GiB
	MaxSeries int           // that are written to at a time; 200,000
	Reserve   uint64        // free space below which nothing is written; 256 MiB
	Late      time.Duration // how late a sample may come; 10 minutes
	Now       func() time.Time
	Log       *slog.Logger
	Also      func([]Sample)                   // gets what is appended, too, even while the disk is full
	Free      func(dir string) (uint64, error) // free space of a folder; that of its file system
}

func (o *Options) fill() {
	or(&o.Retention, 15*24*time.Hour)
	or(&o.MaxBytes, 2<<30)
	or(&o.MaxSeries, 200_000)
	or(&o.Reserve, 256<<20)
	or(&o.Late, 10*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Free == nil {
		o.Free = freeSpace
	}
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// DB is the embedded store of series.
type DB struct {
	*Reader // people's

	opts   Options
	engine *promql.Engine

	mu sync.RWMutex // held for reading while tsdb is used, for writing while it is replaced
	db *tsdb.DB

	disk    sync.Mutex // guards what follows
	checked time.Time
	full    bool
	hurt    bool      // a write failed half-way: the log has to be read anew
	deaf    time.Time // since when nothing of now is taken, as the store is ahead; zero: it is
	sure    bool      // that the clock is right, and not what the files bear

	dropped [reasons]atomic.Uint64
}

// Open opens the store in a folder, which it makes if it is missing. What was
// appended before a kill is there again. On a full disk the store stays empty
// until Append finds that there is room.
func Open(o Options) (*DB, error) {
	o.fill()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, continuity.E(continuity.CodeConfig, err)
	}
	d := &DB{opts: o, engine: newEngine()}
	d.Reader = newReader(d, queriesAtOnce)
	// A log that ends in half a record is mended by writing it anew. Where there
	// is no room for that, it would be lost: it waits, as if it had just happened.
	if free, err := o.Free(o.Dir); err == nil && free < o.Reserve {
		d.full, d.hurt = true, true
		return d, nil
	}
	db, err := d.open()
	if err != nil {
		return nil, err
	}
	d.db = db
	return d, nil
}

func (d *DB) open() (*tsdb.DB, error) {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = d.opts.Retention.Milliseconds()
	o.MaxBytes = d.opts.MaxBytes
	o.MaxBlockDuration = max(o.MinBlockDuration, min(o.RetentionDuration/10, (31*24*time.Hour).Milliseconds()))
	o.WALSegmentSize = 16 << 20
	o.WALCompression = "snappy"
	o.OutOfOrderTimeWindow = d.opts.Late.Milliseconds()
	o.StripeSize = 512 // the default is meant for millions of series, and takes a map or two for each of thousands
	err := d.blocksAside()
	var db *tsdb.DB
	// Once more, if what the store has in memory was set aside.
	for again := err == nil; again; {
		again = false
		if db, err = tsdb.Open(filepath.Clean(d.opts.Dir), d.opts.Log, nil, o, nil); err == nil {
			closed := false
			if closed, err = d.headAside(db); err != nil && !closed {
				_ = db.Close()
			}
			again = closed && err == nil
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return nil, continuity.E(continuity.CodeStateFull, err)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EWOULDBLOCK):
		return nil, continuity.E(continuity.CodeLocked, err)
	case err != nil:
		return nil, continuity.E(continuity.CodeDamaged, err)
	}
	return db, nil
}

// Close writes down what is in memory and gives the folder free.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		return nil
	}
	err := d.db.Close()
	d.db = nil
	return err
}

// Why a sample was dropped.
const (
	reasonLate    = iota // later than Options.Late, or an older one of its time stands
	reasonSeries         // Options.MaxSeries
	reasonDisk           // full, or the write failed
	reasonInvalid        // without a name, or a label twice
	reasonEarly          // from a time that has not come yet
	reasons
)

// Stats says how a store is.
type Stats struct {
	Series                          uint64 // that are written to
	Bytes                           int64  // of blocks
	Full                            bool   // nothing is written until there is room again
	Late, TooMany, NoSpace, Invalid uint64 // samples dropped since Open
	Early                           uint64
}

// Stats returns how the store is.
func (d *DB) Stats() Stats {
	s := Stats{
		Late: d.dropped[reasonLate].Load(), TooMany: d.dropped[reasonSeries].Load(),
		NoSpace: d.dropped[reasonDisk].Load(), Invalid: d.dropped[reasonInvalid].Load(), Early: d.dropped[reasonEarly].Load(),
	}
	d.disk.Lock()
	s.Full = d.full || d.hurt
	d.disk.Unlock()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.db != nil {
		s.Series = d.db.Head().NumSeries()
		for _, b := range d.db.Blocks() {
			s.Bytes += b.Size()
		}
	}
	return s
}

// Append writes samples. One that can't be written is dropped and counted
// without holding up the others; an error means that none was written.
func (d *DB) Append(ctx context.Context, samples []Sample) error {
	if samples = d.come(samples); len(samples) == 0 {
		return nil
	}
	if d.opts.Also != nil {
		d.opts.Also(samples)
	}
	if err := d.room(); err != nil {
		d.dropped[reasonDisk].Add(uint64(len(samples)))
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.db == nil {
		return continuity.E(continuity.CodeState, os.ErrClosed)
	}
	app := d.db.AppenderV2(ctx)
	known, _ := app.(storage.GetRef)
	series, late := d.db.Head().NumSeries(), 0
	for _, s := range samples {
		var ref storage.SeriesRef
		if series >= uint64(d.opts.MaxSeries) && known != nil {
			if ref, _ = known.GetRef(s.Labels, s.Labels.Hash()); ref == 0 {
				d.dropped[reasonSeries].Add(1)
				continue
			}
		}
		_, err := app.Append(ref, s.Labels, 0, s.At.UnixMilli(), s.Value, nil, nil, storage.AOptions{})
		switch {
		case err == nil:
		case errors.Is(err, storage.ErrOutOfOrderSample), errors.Is(err, storage.ErrOutOfBounds),
			errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
			d.dropped[reasonLate].Add(1)
			late++
		default:
			d.dropped[reasonInvalid].Add(1)
		}
		if ref == 0 {
			series = d.db.Head().NumSeries()
		}
	}
	if err := app.Commit(); err != nil {
		d.dropped[reasonDisk].Add(uint64(len(samples)))
		d.disk.Lock()
		d.hurt = true
		d.disk.Unlock()
		return continuity.E(continuity.CodeStateFull, err)
	}
	d.heard(late < len(samples))
	return nil
}

// heard notes whether anything of now was taken. Where nothing is, for so long that
// it must be the store that is ahead, it is opened anew by the clock of now.
func (d *DB) heard(something bool) {
	now := d.opts.Now()
	d.disk.Lock()
	defer d.disk.Unlock()
	switch {
	case something || d.db.Head().MaxTime() <= now.Add(aheadBy).UnixMilli():
		d.deaf = time.Time{}
	case d.deaf.IsZero() || now.Before(d.deaf):
		d.deaf = now
	case now.Sub(d.deaf) >= deafFor:
		d.hurt, d.sure, d.deaf = true, true, time.Time{}
	}
}

// early is how far ahead a sample's clock may be.
const early = time.Minute

// come leaves out samples from times that have not come. A single one would make
// every sample of now too late.
func (d *DB) come(samples []Sample) []Sample {
	limit := d.opts.Now().Add(early)
	ahead := func(s Sample) bool { return s.At.After(limit) }
	if !slices.ContainsFunc(samples, ahead) {
		return samples
	}
	kept := slices.DeleteFunc(slices.Clone(samples), ahead)
	d.dropped[reasonEarly].Add(uint64(len(samples) - len(kept)))
	return kept
}

// room returns an error while the disk is too full to write. It looks at most
// once a second. Where a write has failed half-way, the store is opened anew as
// soon as there is room: its log would end in that half at the next start.
func (d *DB) room() error {
	d.disk.Lock()
	defer d.disk.Unlock()
	now := d.opts.Now()
	if since := now.Sub(d.checked); since < 0 || since >= time.Second {
		d.checked = now
		free, err := d.opts.Free(d.opts.Dir)
		full := err == nil && free < d.opts.Reserve
		if full != d.full {
			d.full = full
			d.opts.Log.Warn("space for measures", "full", full, "free", free)
		}
		if d.hurt && !full {
			if err := d.reopen(); err != nil {
				d.opts.Log.Error("measures can't be opened anew", "err", err)
				return err
			}
			d.hurt = false
		}
	}
	if d.full || d.hurt {
		return continuity.E(continuity.CodeStateFull, nil)
	}
	return nil
}

func (d *DB) reopen() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			d.opts.Log.Warn("closing measures", "err", err)
		}
		d.db = nil
	}
	db, err := d.open()
	if err == nil {
		d.db, d.sure = db, false
	}
	return err
}

func freeSpace(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec // a block's size is not negative
}

var _ io.Closer = (*DB)(nil)

// Compact writes blocks and deletes those past their time now, which otherwise
// happens by itself.
func (d *DB) Compact(ctx context.Context) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.db == nil {
		return continuity.E(continuity.CodeState, os.ErrClosed)
	}
	return d.db.Compact(ctx)
}
