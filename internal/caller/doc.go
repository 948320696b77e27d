// Package caller verifies who sends a request while the upstream, which does
// that otherwise, is down: by a JWT, a client certificate, a signature, or an
// API key. Each way is a file.
//
// Nothing here asks anybody while a client waits. Keys of an issuer are fetched
// ahead, kept on disk, and used for a stated time while the issuer can't be
// reached; files are read again when they change.
//
// A request without proof, with a wrong one, and one that can't be judged for
// lack of keys are told apart: the first two are the caller's affair, the last
// is ours.
package caller
