//go:build !unix

package http1

import "net"

// peeker cannot look at sockets here: a client's leaving is noticed by the
// failing answer, and a dead pooled connection by the failing attempt.
type peeker struct{}

func (p *peeker) open(net.Conn) {}

func (p *peeker) peek() (readable, gone bool) { return false, false }
