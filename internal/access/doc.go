// Package access knows who may do what on a control node: users with passwords,
// the sessions they open, tokens for programs, and the roles and scopes that
// bound all three.
package access
