// Package endpoint is how a command finds a process that runs on this machine,
// and shows that it may ask it: the address and the token that the process leaves
// in its data folder, readable by its owner only. The relay and the control node
// share it.
package endpoint
