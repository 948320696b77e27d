package precheck

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	sockets "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"holdfast/internal/continuity"
)

// Sources are where facts come from, besides the machine itself.
type Sources struct {
	// Program returns what the program with an id says of itself.
	Program func(ctx context.Context, id string) (string, error)
	// Network is the door to other machines.
	Network Network
	// Database opens the one that is migrated, for Gather to close.
	Database func(ctx context.Context) (*sql.DB, error)
	Kind     string // of it: postgres, mysql, sqlite
	People   []Person
}

// Network is how other machines are reached.
type Network interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Lookup(ctx context.Context, host string, port uint16) ([]netip.Addr, error)
}

// most is how long anything is asked.
const most = 15 * time.Second

// Gather reads the facts that the needs are about, all at once.
func Gather(ctx context.Context, n Needs, from Sources) Facts {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	f := Facts{
		At: time.Now().UTC(), People: from.People,
		Disks: make([]Disk, len(n.Disk)), Programs: make([]ProgramFact, len(n.Programs)), Ports: make([]Port, len(n.Ports)), Peers: make([]PeerFact, len(n.Peers)),
	}
	var all sync.WaitGroup
	all.Go(func() { f.CPU, f.Memory, f.Kernel = processors(ctx), memory(ctx), kernel(ctx) })
	for i, s := range n.Disk {
		all.Go(func() { f.Disks[i] = space(ctx, s.Path) })
	}
	for i, p := range n.Programs {
		all.Go(func() { f.Programs[i] = program(ctx, p.ID, from.Program) })
	}
	for i, address := range n.Ports {
		all.Go(func() { f.Ports[i] = port(ctx, address) })
	}
	for i, p := range n.Peers {
		all.Go(func() { f.Peers[i] = reach(ctx, p.Address, from.Network) })
	}
	if from.Database != nil {
		f.Database = &Database{Kind: from.Kind}
		all.Go(func() { f.Database.read(ctx, from.Database) })
	}
	all.Wait()
	return f
}

func processors(ctx context.Context) CPU {
	c := CPU{Count: runtime.NumCPU()}
	averages, err := load.AvgWithContext(ctx)
	if err != nil {
		return CPU{Unread: failed(err)}
	}
	c.Load = averages.Load1 / float64(c.Count)
	return c
}

func memory(ctx context.Context) Memory {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return Memory{Unread: failed(err)}
	}
	return Memory{Total: whole(m.Total), Available: whole(m.Available)}
}

func kernel(ctx context.Context) Kernel {
	version, err := host.KernelVersionWithContext(ctx)
	if err != nil {
		return Kernel{Unread: failed(err)}
	}
	return Kernel{System: runtime.GOOS, Version: version}
}

// space looks at the nearest folder that exists: what is to be made later will lie in it.
func space(ctx context.Context, path string) Disk {
	d := Disk{Path: path, Mount: filepath.Clean(path)}
	for {
		_, err := os.Stat(d.Mount)
		parent := filepath.Dir(d.Mount)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) || parent == d.Mount {
			return Disk{Path: path, Unread: failed(err)}
		}
		d.Mount = parent
	}
	u, err := disk.UsageWithContext(ctx, d.Mount)
	if err != nil {
		return Disk{Path: path, Unread: failed(err)}
	}
	d.Total, d.Free, d.Files = whole(u.Total), whole(u.Free), u.InodesUsedPercent/100
	return d
}

func program(ctx context.Context, id string, say func(ctx context.Context, id string) (string, error)) ProgramFact {
	if say == nil {
		return ProgramFact{ID: id, Unread: unread("upgrade.precheck.not-looked")}
	}
	said, err := say(ctx, id)
	if err != nil {
		return ProgramFact{ID: id, Unread: unread("upgrade.precheck.program-failed", "id", id, "cause", cause(err))}
	}
	v := ParseVersion(said)
	if v == nil {
		return ProgramFact{ID: id, Unread: unread("upgrade.precheck.program-mute", "id", id)}
	}
	return ProgramFact{ID: id, Version: v.String()}
}

// port listens for a moment: what would be refused then is refused now.
func port(ctx context.Context, address string) Port {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return Port{Address: address, Free: listener.Close() == nil}
	case errors.Is(err, syscall.EADDRINUSE):
		return holder(ctx, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return Port{Address: address, Unread: unread("upgrade.precheck.port-elsewhere", "address", address)}
	}
	return Port{Address: address, Unread: failed(err)}
}

// holder finds who listens at an address; it may belong to somebody else, of whom the
// system says nothing.
func holder(ctx context.Context, address string) Port {
	p := Port{Address: address}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return p
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return p
	}
	open, err := sockets.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return p
	}
	for _, s := range open {
		if s.Status != "LISTEN" || uint64(s.Laddr.Port) != number || s.Pid == 0 {
			continue
		}
		if proc, err := process.NewProcessWithContext(ctx, s.Pid); err == nil {
			if name, err := proc.NameWithContext(ctx); err == nil {
				p.Holder, p.PID = name, s.Pid
			}
		}
	}
	return p
}

// failed is what could not be read, and why.
func failed(err error) *continuity.CheckReason {
	return unread("upgrade.precheck.failed", "cause", cause(err))
}

// cause is an error's text, not at length.
func cause(err error) string {
	text := []rune(err.Error())
	if len(text) > 300 {
		return string(text[:300]) + "…"
	}
	return string(text)
}

func whole(n uint64) int64 { return int64(min(n, 1<<62)) } // #nosec G115 -- bounded
