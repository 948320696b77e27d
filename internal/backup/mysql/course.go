package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/spool"
	"holdfast/internal/durable"
)

const courseName = "log.json"

// course is what is known of the source's log, from run to run.
type course struct {
	Last string `json:"last"`           // the furthest place that it was seen at
	Name string `json:"name,omitempty"` // of the log, once it was begun anew
}

// look looks at the server, and tells its log from one that had the same names and ended:
// RESET MASTER begins again with the first, and places that were captured are others then.
func (d *Driver) look(ctx context.Context, db *sql.DB) (server, error) {
	s, err := look(ctx, db)
	if err != nil || !s.logs || d.spool == nil {
		return s, err
	}
	d.noted.Lock()
	defer d.noted.Unlock()
	var c course
	text, err := os.ReadFile(d.spool.Path(courseName))
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, d.spool.Error(err)
	}
	now, err := s.now(ctx, db)
	if err != nil {
		return s, err
	}
	if now.Compare(backup.Position{At: c.Last}) < 0 {
		c.Name = "@" + spool.Unique(time.Now())
	}
	if c.Last != now.At {
		c.Last = now.At
		if text, err = json.Marshal(c); err == nil {
			err = durable.Replace(d.spool.Path(courseName), text)
		}
	}
	s.system += c.Name
	return s, d.spool.Error(err)
}
