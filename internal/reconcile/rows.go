package reconcile

import "context"

// Rows gives the first column of each row of the upstream's own list; a list
// over HTTP gives its keys.
func Rows(ctx context.Context, o Options, give func(string)) error {
	o.defaults()
	return readList(ctx, o, func(l line) { give(l.key) })
}
