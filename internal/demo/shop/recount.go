package shop

import (
	"context"
	"log/slog"
	"time"
)

// many is how many orders are counted anew in one transaction.
const many = 200

// recounting counts the totals of open orders anew from their lines every so often, as
// long as ctx lives: what a shop does that gives discounts by the line.
func (s *store) recounting(ctx context.Context, every time.Duration) {
	if every <= 0 || s.release.recount == nil {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := s.recountAll(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			slog.Error("totals were not counted anew", "error", err)
		default:
			slog.Info("totals were counted anew", "changed", changed)
		}
	}
}

// recountAll goes through all open orders once.
func (s *store) recountAll(ctx context.Context) (changed int, err error) {
	for after := ""; ; {
		n, last, err := s.recountSome(ctx, after)
		changed += n
		if err != nil || last == "" {
			return changed, err
		}
		after = last
	}
}

// recountSome counts the next open orders anew; last is empty where there are none.
// They are locked before their lines are read: a change that goes on meanwhile would
// else be seen by half.
func (s *store) recountSome(ctx context.Context, after string) (changed int, last string, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, "", err
	}
	defer tx.Rollback() // a no-op after Commit
	if m, err := s.standing(ctx, tx); err != nil || !m.Fits {
		return 0, "", err
	}
	totals := map[string]int64{}
	collect := func(query string, args []any, each func(no string, minor int64)) error {
		rows, err := tx.QueryContext(ctx, s.dialect.bind(query), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				no    string
				minor int64
			)
			if err := rows.Scan(&no, &minor); err != nil {
				return err
			}
			each(no, minor)
		}
		return rows.Err()
	}
	err = collect(`SELECT order_no, total_minor FROM orders WHERE state = 'open' AND order_no > ? ORDER BY order_no LIMIT ?`+s.dialect.forUpdate,
		[]any{after, many}, func(no string, minor int64) { totals[no], last = minor, max(last, no) })
	if err != nil || len(totals) == 0 {
		return 0, "", err
	}
	sums := map[string]int64{}
	err = collect(`SELECT order_no, sum(amount_minor) FROM order_lines WHERE order_no > ? AND order_no <= ? GROUP BY order_no`,
		[]any{after, last}, func(no string, minor int64) { sums[no] = minor })
	if err != nil {
		return 0, "", err
	}
	for no, total := range totals {
		made := s.release.recount(sums[no])
		if made == total {
			continue
		}
		if _, err := tx.ExecContext(ctx, s.dialect.bind(`UPDATE orders SET total_minor = ? WHERE order_no = ?`), made, no); err != nil {
			return 0, "", err
		}
		changed++
	}
	return changed, last, tx.Commit()
}
