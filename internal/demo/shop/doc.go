// Package shop is a small order service, the kind of system that Holdfast stands
// before: customers, goods in stock, orders. It is a real one: each answer is
// given after its transaction is on disk, orders are unique by their number,
// and an Idempotency-Key is stored in the same transaction as its effect, so
// that a repeat gets the first answer and has no second effect.
//
//	POST   /api/orders        {"order_no","customer","sku","qty","total","currency"}
//	PUT    /api/orders/{no}   {"sku","qty","total","currency"}
//	DELETE /api/orders/{no}   cancels; a body {"order_no","ref"} may come along
//	GET    /api/orders/{no}   /api/goods   /api/customers   /healthz
//	PUT    /slow?by=600ms     answers come so much later from now on
//	GET    /version           the release that runs, and the schema that it found
//
// Every effect is also a row of the table events, numbered per order as
// received, which tells afterwards what arrived, in which order, how often.
//
// It has releases, as programs have: --release says which one runs. v1 keeps an order
// in one row, its total as text; from v2 on an order has lines, and amounts are whole
// minor units. v2's migration corrupts some amounts, which its invariants show at once;
// v2.0.1's is right, but what it does minutes later is not; v2.1 is right. A release
// runs on no other schema than its own, and says so at /healthz:
//
//	shop migrate up|down|to|status|schema --release R
//	shop invariants [--sql]
//	shop version [--url http://...]
//
// It keeps everything in one SQLite file or, with --dsn, in PostgreSQL, and
// knows nothing of Holdfast.
package shop
