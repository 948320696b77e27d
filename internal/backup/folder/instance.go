package folder

import (
	"context"
	"time"

	"io"

	"holdfast/internal/backup"
)

// instance is a folder that was restored.
type instance struct {
	path    string
	loose   int64
	reached backup.Position
	moment  time.Time
}

// Figures reads everything anew.
func (i *instance) Figures(ctx context.Context, queries []backup.Query, report backup.Report) ([]backup.Figure, error) {
	if len(queries) > 0 {
		return nil, restoring(errQueries)
	}
	d := &Driver{path: i.path}
	total, err := d.measure(ctx, report)
	if err != nil {
		return nil, err
	}
	total.loose = i.loose
	return total.figures(), nil
}

// measure reads a folder that nobody writes to.
func (d *Driver) measure(ctx context.Context, report backup.Report) (totals, error) {
	c := &capture{driver: d, report: func(p backup.Progress) {
		if report != nil {
			p.Phase = "figures"
			report(p)
		}
	}}
	err := c.all(ctx, io.Discard, io.Discard, header{})
	return c.totals, err
}

// Reached tells of which piece the folder is.
func (i *instance) Reached() (backup.Position, time.Time) { return i.reached, i.moment }

// Address is where the folder is.
func (i *instance) Address() string { return i.path }

// Close has nothing to end.
func (i *instance) Close() error { return nil }
