// Package access knows who may do what on a control node: users with passwords,
// the sessions they open, tokens for programs, and the roles and scopes that
// bound all three.
//
// A user has a role. A session is the user's whole self for a while. A token is a
// part of the user's self for a program: it may what it was made for, as long as
// its maker may that too. What it does, its maker does. The node's own token file
// is the way in where there is no user yet or none can get in; each use is an
// event.
//
// Invariants:
//
//   - Passwords are kept as argon2id hashes, tokens and sessions as SHA-256 of 256
//     random bits; all of them beside their objects, where no event bears them.
//   - Who asks is looked up at each request: a role that shrinks, a user who is
//     disabled, a token that is revoked count from the next request on, on every
//     node of the database.
//   - Nobody gives or takes what they don't have: who changes a user must have all
//     scopes of the user's role, before and after.
//   - Once there is an admin who can log in, there always is one.
//   - A wrong name costs what a wrong password costs, in time and in tries.
package access
