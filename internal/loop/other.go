//go:build !linux

package loop

import (
	"context"
	"errors"
	"net"
	"time"
)

// Loop, Group and Conn exist on Linux only.
type Loop struct{}

func (l *Loop) Now() int64           { return 0 }
func (l *Loop) Time() time.Time      { return time.Time{} }
func (l *Loop) Late() time.Duration  { return 0 }
func (l *Loop) post(letter)          {}
func (l *Loop) handOver(turn uint64) {}

type letter struct {
	t    *Task
	what uint8
}

const (
	letterWake = iota
	letterNudge
)

type Group struct{}

// NewGroup fails: there are no loops here.
func NewGroup(int) (*Group, error)                         { return nil, errors.ErrUnsupported }
func (g *Group) Close()                                    {}
func (g *Group) Listen(net.Listener) (net.Listener, error) { return nil, errors.ErrUnsupported }

func Serves(net.Listener) bool { return false }

type atomicFlags struct{}

func (atomicFlags) Load() uint32 { return 0 }

type Conn struct {
	net.Conn
	flags atomicFlags
}

func (c *Conn) Serve(func(*Task))                         {}
func (c *Conn) Assign(*Task)                              {}
func (c *Conn) Watch(context.Context)                     {}
func (c *Conn) Unwatch()                                  {}
func (c *Conn) Loop() *Loop                               { return nil }
func (c *Conn) Ready() (readable, hung bool)              { return false, false }
func (c *Conn) Peek() (readable, gone bool)               { return false, false }
func (c *Conn) ReadWithin(time.Duration)                  {}
func (c *Conn) WriteWithin(time.Duration)                 {}
func (c *Conn) Expire(time.Time)                          {}
func (c *Conn) Nudge()                                    {}
func (c *Conn) Cut()                                      {}
func (c *Conn) WriteOrReadable([]byte, bool) (int, error) { return 0, errors.ErrUnsupported }
func (c *Conn) Leave() (net.Conn, error)                  { return nil, errors.ErrUnsupported }

func (t *Task) Dial(context.Context, string, time.Duration) (*Conn, error) {
	return nil, errors.ErrUnsupported
}
