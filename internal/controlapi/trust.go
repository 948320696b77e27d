package controlapi

import (
	"context"

	"holdfast/internal/access"
)

// Person reports whether a person sends the request of ctx, and no program for them.
func Person(ctx context.Context) bool {
	c := callerOf(ctx)
	return c.Token == "" || c.Token == access.FileToken
}

// Trusted reports whether a person does who may decide anything: a commander or an
// administrator of the node, or who holds its own token.
func Trusted(ctx context.Context) bool {
	return Person(ctx) && !access.Commander.Above(callerOf(ctx).Role) && callerOf(ctx).Role.Known()
}
