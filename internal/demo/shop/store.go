package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// store keeps the shop in SQL.
type store struct {
	dialect dialect
	release release
	write   *sql.DB
	read    *sql.DB
	stmt    map[string]*sql.Stmt // prepared on write, by query
}

// The statements of the effects.
const (
	keepKey     = `INSERT INTO idempotency (idempotency_key, fingerprint, status, body) VALUES (?, ?, 0, '') ON CONFLICT DO NOTHING`
	keptKey     = `SELECT fingerprint, status, body FROM idempotency WHERE idempotency_key = ?`
	fillKey     = `UPDATE idempotency SET status = ?, body = ? WHERE idempotency_key = ?`
	creation    = `SELECT created FROM orders WHERE order_no = ?`
	addEvent    = `INSERT INTO events (order_no, order_seq, kind, qty, total, currency, idempotency_key, ref, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	hasCustomer = `SELECT count(*) FROM customers WHERE id = ?`
	hasGoods    = `SELECT count(*) FROM goods WHERE sku = ?`
	takeStock   = `UPDATE goods SET stock = stock - ? WHERE sku = ? AND stock >= ?`
)

func (s *store) prepare(ctx context.Context) error {
	s.stmt = map[string]*sql.Stmt{}
	for _, query := range append(s.release.orders.statements(s.dialect), schemaNow, keepKey, keptKey, fillKey, creation, addEvent,
		hasCustomer, hasGoods, takeStock) {
		p, err := s.write.PrepareContext(ctx, s.dialect.bind(query))
		if err != nil {
			return err
		}
		s.stmt[query] = p
	}
	return nil
}

// Close ends the use of the database.
func (s *store) Close() {
	for _, db := range []*sql.DB{s.write, s.read} {
		if db != nil {
			db.Close()
		}
	}
}

// effect is one transaction on the way to its answer.
type effect struct {
	*request
	ctx context.Context
	s   *store
	tx  *sql.Tx
}

func (e *effect) exec(query string, args ...any) (int64, error) {
	r, err := e.tx.StmtContext(e.ctx, e.s.stmt[query]).ExecContext(e.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (e *effect) row(query string, args ...any) *sql.Row {
	return e.tx.StmtContext(e.ctx, e.s.stmt[query]).QueryRowContext(e.ctx, args...)
}

// once runs do in a transaction that also keeps its answer under the
// Idempotency-Key. A repeat gets the kept answer; a refusal keeps nothing.
func (s *store) once(ctx context.Context, r *request, do func(*effect) (answer, error)) (answer, error) {
	// A client that goes away must not undo what it may already count on.
	ctx = context.WithoutCancel(ctx)
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return answer{}, err
	}
	defer tx.Rollback() // a no-op after Commit
	e := &effect{request: r, ctx: ctx, s: s, tx: tx}
	if err := e.fits(); err != nil {
		return answer{}, err
	}
	if r.Key != "" {
		n, err := e.exec(keepKey, r.Key, r.Fingerprint)
		if err != nil {
			return answer{}, err
		}
		if n == 0 {
			return e.repeat()
		}
	}
	a, err := do(e)
	if err != nil {
		return answer{}, err
	}
	if r.Key != "" {
		if _, err := e.exec(fillKey, a.Status, a.Body, r.Key); err != nil {
			return answer{}, err
		}
	}
	return a, tx.Commit()
}

// fits refuses where the schema is another release's by now. A migration waits for the
// end of this transaction.
func (e *effect) fits() error {
	var (
		schema int
		by     string
	)
	if err := e.row(schemaNow).Scan(&schema, &by); err != nil {
		return err
	}
	if schema != e.s.release.schema {
		return errWrongSchema
	}
	return nil
}

func (e *effect) repeat() (answer, error) {
	var (
		a           answer
		fingerprint string
	)
	if err := e.row(keptKey, e.Key).Scan(&fingerprint, &a.Status, &a.Body); err != nil {
		return a, err
	}
	if fingerprint != e.Fingerprint {
		return answer{}, errKeyReused
	}
	return a, nil
}

// Create takes an order. An order number is taken once: the same content again
// gets the same answer, another content is refused.
func (s *store) Create(ctx context.Context, r *request) (answer, error) {
	return s.once(ctx, r, func(e *effect) (answer, error) {
		var known int
		if err := e.row(hasCustomer, r.In.Customer).Scan(&known); err != nil {
			return answer{}, err
		}
		if known == 0 {
			return answer{}, errUnknownCustomer
		}
		o := Order{No: r.No, Customer: r.In.Customer, SKU: r.In.SKU, Qty: r.In.Qty, Total: r.In.Total,
			Currency: r.In.Currency, State: stateOpen, Version: 1}
		isNew, err := s.release.orders.add(e, o)
		if err != nil {
			return answer{}, err
		}
		if !isNew {
			var created string
			if err := e.row(creation, r.No).Scan(&created); err != nil {
				return answer{}, err
			}
			if created != r.Fingerprint {
				return answer{}, errOrderExists
			}
			return o.answer(http.StatusCreated)
		}
		if err := e.take(r.In.SKU, r.In.Qty); err != nil {
			return answer{}, err
		}
		return e.log("created", o, http.StatusCreated)
	})
}

// Change replaces what is ordered.
func (s *store) Change(ctx context.Context, r *request) (answer, error) {
	return s.once(ctx, r, func(e *effect) (answer, error) {
		o, err := e.find()
		if err != nil {
			return answer{}, err
		}
		if o.State == stateCancelled {
			return answer{}, errCancelled
		}
		if o.SKU == r.In.SKU {
			err = e.take(o.SKU, r.In.Qty-o.Qty)
		} else if err = e.take(o.SKU, -o.Qty); err == nil {
			err = e.take(r.In.SKU, r.In.Qty)
		}
		if err != nil {
			return answer{}, err
		}
		o.SKU, o.Qty, o.Total, o.Currency = r.In.SKU, r.In.Qty, r.In.Total, r.In.Currency
		return e.update("changed", o)
	})
}

// Cancel cancels an order and gives its goods back. Cancelling again is no
// event and gets the same answer.
func (s *store) Cancel(ctx context.Context, r *request) (answer, error) {
	return s.once(ctx, r, func(e *effect) (answer, error) {
		o, err := e.find()
		if err != nil {
			return answer{}, err
		}
		if o.State == stateCancelled {
			return o.answer(http.StatusOK)
		}
		if err := e.take(o.SKU, -o.Qty); err != nil {
			return answer{}, err
		}
		o.State = stateCancelled
		return e.update("cancelled", o)
	})
}

// take takes qty out of stock, or gives it back where qty is negative.
func (e *effect) take(sku string, qty int64) error {
	n, err := e.exec(takeStock, qty, sku, qty)
	if err != nil || n == 1 {
		return err
	}
	var known int
	if err := e.row(hasGoods, sku).Scan(&known); err != nil {
		return err
	}
	if known == 0 {
		return errUnknownGoods
	}
	return errOutOfStock
}

func (e *effect) find() (Order, error) {
	return scanOrder(e.row(e.s.release.orders.find()+e.s.dialect.forUpdate, e.No))
}

func (e *effect) update(kind string, o Order) (answer, error) {
	o.Version++
	if err := e.s.release.orders.change(e, o); err != nil {
		return answer{}, err
	}
	return e.log(kind, o, http.StatusOK)
}

func (e *effect) log(kind string, o Order, status int) (answer, error) {
	if _, err := e.exec(addEvent, o.No, o.Version, kind, o.Qty, o.Total, o.Currency, e.Key, e.Ref, time.Now().UnixMilli()); err != nil {
		return answer{}, err
	}
	return o.answer(status)
}

func (o Order) answer(status int) (answer, error) {
	body, err := json.Marshal(o)
	return answer{Status: status, Body: string(body)}, err
}

func scanOrder(row *sql.Row) (Order, error) {
	var o Order
	err := row.Scan(&o.No, &o.Customer, &o.SKU, &o.Qty, &o.Total, &o.Currency, &o.State, &o.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return o, errUnknownOrder
	}
	return o, err
}
