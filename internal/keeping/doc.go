// Package keeping is what a control node does about the sets of data that its plans
// have backed up: when each is captured, that its changes are followed, that every
// backup is proven by restoring it, that what need not be kept goes, and how a set is
// brought back while people decide.
//
// The Engine runs on the node that leads, over objects of the store, as engines do
// under internal/follow: a work is stored before it begins and with its end, so that a
// node that dies in the midst leaves a work that was interrupted, and the next one
// begins it anew. How anything is captured, proven or restored is the Vault's business,
// which is handed in.
//
// Watch judges how sets stand by objects of the store and the clock alone. It asks
// neither the engine nor the vault, so that it warns also where these hang, or where
// what they write to is gone.
//
// Acts, on any node, are what people see of it and do with it.
package keeping
