package shop

import "context"

// Good is an article in stock.
type Good struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Price string `json:"price"`
	Stock int64  `json:"stock"`
}

// Customer is one who orders.
type Customer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// most is how many rows a list has at most.
const most = 1000

// Find returns an order as it stands.
func (s *store) Find(ctx context.Context, no string) (Order, error) {
	return scanOrder(s.read.QueryRowContext(ctx, s.dialect.bind(s.release.orders.find()), no))
}

// Goods returns the first goods by SKU.
func (s *store) Goods(ctx context.Context, limit int) ([]Good, error) {
	rows, err := s.read.QueryContext(ctx, s.dialect.bind(`SELECT sku, name, price, stock FROM goods ORDER BY sku LIMIT ?`), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Good{}
	for rows.Next() {
		var g Good
		if err := rows.Scan(&g.SKU, &g.Name, &g.Price, &g.Stock); err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	return list, rows.Err()
}

// Customers returns the first customers by id.
func (s *store) Customers(ctx context.Context, limit int) ([]Customer, error) {
	rows, err := s.read.QueryContext(ctx, s.dialect.bind(`SELECT id, name FROM customers ORDER BY id LIMIT ?`), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Customer{}
	for rows.Next() {
		var c Customer
		if err := rows.Scan(&c.ID, &c.Name); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// Ready reports whether the database answers and has the release's schema.
func (s *store) Ready(ctx context.Context) (migration, error) {
	m, err := s.standing(ctx, s.read)
	if err == nil && !m.Fits {
		err = errWrongSchema
	}
	return m, err
}
