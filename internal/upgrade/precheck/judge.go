package precheck

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// From when on something is worth a word, though nobody asked for less.
const (
	busyLoad  = 1.0             // for each processor: work waits
	tightDisk = 1.2             // times of what is needed
	fullFiles = 0.95            // of a file system's files
	longOpen  = 1 * time.Minute // a transaction; what changes tables waits for it, and all others for that
)

// Judge holds facts against needs, in the order in which people look at them. What was
// asked for and is not among the facts blocks.
func Judge(n Needs, f Facts) []continuity.UpgradeFinding {
	var all []continuity.UpgradeFinding
	add := func(id, level string, why continuity.CheckReason, advice string, pairs ...any) {
		finding := continuity.UpgradeFinding{ID: id, Level: level, Reason: why}
		if level != continuity.FindingOK {
			finding.Advice = reason(advice, pairs...)
		}
		all = append(all, finding)
	}
	// say adds what was read, or that it could not be.
	say := func(id string, lacking *continuity.CheckReason, ok bool, why continuity.CheckReason, advice string, pairs ...any) {
		switch {
		case lacking != nil:
			add(id, continuity.FindingBlock, *lacking, "upgrade.precheck.advice.unread")
		case ok:
			add(id, continuity.FindingOK, why, "")
		default:
			add(id, continuity.FindingBlock, why, advice, pairs...)
		}
	}

	if n.CPU > 0 {
		say("cpu", f.CPU.Unread, f.CPU.Count >= n.CPU,
			reason("upgrade.precheck.cpu", "have", f.CPU.Count, "need", n.CPU), "upgrade.precheck.advice.cpu")
	}
	if f.CPU.Unread == nil && f.CPU.Load > busyLoad {
		add("load", continuity.FindingWarn, reason("upgrade.precheck.load", "load", percent(f.CPU.Load)), "upgrade.precheck.advice.load")
	}
	if n.Memory > 0 {
		say("memory", f.Memory.Unread, f.Memory.Available >= n.Memory,
			reason("upgrade.precheck.memory", "have", size(f.Memory.Available), "need", size(n.Memory), "total", size(f.Memory.Total)), "upgrade.precheck.advice.memory")
	}
	for _, s := range n.Disk {
		judgeDisk(s, f, add, say)
	}
	if !n.Kernel.Any() {
		say("kernel", f.Kernel.Unread, n.Kernel.Fits(ParseVersion(f.Kernel.Version)),
			reason("upgrade.precheck.kernel", "have", f.Kernel.Version, "need", n.Kernel.String()), "upgrade.precheck.advice.kernel")
	}
	for _, p := range n.Programs {
		have := find(f.Programs, func(x ProgramFact) bool { return x.ID == p.ID })
		say("program:"+p.ID, lacks(have == nil, get(have).Unread), p.Versions.Fits(ParseVersion(get(have).Version)),
			reason("upgrade.precheck.program", "id", p.ID, "have", get(have).Version, "need", p.Versions.String()), "upgrade.precheck.advice.program", "id", p.ID)
	}
	for _, address := range n.Ports {
		have := find(f.Ports, func(x Port) bool { return x.Address == address })
		why := reason("upgrade.precheck.port-free", "address", address)
		if h := get(have); !h.Free {
			why = reason("upgrade.precheck.port-taken", "address", address)
			if h.Holder != "" {
				why = reason("upgrade.precheck.port-held", "address", address, "holder", h.Holder, "pid", h.PID)
			}
		}
		say("port:"+address, lacks(have == nil, get(have).Unread), get(have).Free, why, "upgrade.precheck.advice.port", "address", address)
	}
	for _, p := range n.Peers {
		judgePeer(p, f, say)
	}
	if n.Database != nil {
		judgeDatabase(*n.Database, f, add, say)
	}
	judgePeople(n, f, add)
	return all
}

type (
	adder func(id, level string, why continuity.CheckReason, advice string, pairs ...any)
	sayer func(id string, lacking *continuity.CheckReason, ok bool, why continuity.CheckReason, advice string, pairs ...any)
)

func judgeDisk(s Space, f Facts, add adder, say sayer) {
	id := "disk:" + s.Path
	have := find(f.Disks, func(d Disk) bool { return d.Path == s.Path })
	need := s.Free
	if s.OfData > 0 {
		if f.Database == nil || f.Database.Unread != nil {
			add(id, continuity.FindingBlock, reason("upgrade.precheck.disk-of-unknown", "path", s.Path), "upgrade.precheck.advice.unread")
			return
		}
		need = max(need, int64(s.OfData*float64(f.Database.Bytes)))
	}
	d := get(have)
	why := reason("upgrade.precheck.disk", "path", s.Path, "have", size(d.Free), "need", size(need))
	advice := "upgrade.precheck.advice.disk"
	lacking := lacks(have == nil, d.Unread)
	switch {
	case lacking == nil && d.Free >= need && float64(d.Free) < tightDisk*float64(need):
		add(id, continuity.FindingWarn, why, advice, "path", s.Path)
	case lacking == nil && d.Files >= fullFiles:
		add(id, continuity.FindingWarn, reason("upgrade.precheck.disk-files", "path", s.Path, "used", percent(d.Files)), "upgrade.precheck.advice.disk-files", "path", s.Path)
	default:
		say(id, lacking, d.Free >= need, why, advice, "path", s.Path)
	}
}

func judgePeer(p Peer, f Facts, say sayer) {
	id := "peer:" + p.Address
	have := find(f.Peers, func(x PeerFact) bool { return x.Address == p.Address })
	x := get(have)
	lost := p.Loss != nil && x.Loss() > *p.Loss
	slow := p.RTT > 0 && x.RTT > p.RTT
	why := reason("upgrade.precheck.peer", "address", p.Address, "by", x.By, "rtt", short(x.RTT), "lost", x.Sent-x.Received, "sent", x.Sent)
	advice := "upgrade.precheck.advice.peer-lossy"
	switch {
	case lost:
		why = reason("upgrade.precheck.peer-lossy", "address", p.Address, "lost", x.Sent-x.Received, "sent", x.Sent, "need", percent(*p.Loss))
	case slow:
		why = reason("upgrade.precheck.peer-slow", "address", p.Address, "rtt", short(x.RTT), "worst", short(x.Worst), "need", short(p.RTT))
		advice = "upgrade.precheck.advice.peer-slow"
	}
	say(id, lacks(have == nil, x.Unread), !lost && !slow, why, advice, "address", p.Address)
}

func judgeDatabase(n DatabaseNeeded, f Facts, add adder, say sayer) {
	d := get(f.Database)
	lacking := lacks(f.Database == nil, d.Unread)
	if lacking != nil {
		say("database", lacking, false, continuity.CheckReason{}, "")
		return
	}
	have := ParseVersion(d.Version)
	say("database:new", nil, n.New.Fits(have),
		reason("upgrade.precheck.database-new", "kind", d.Kind, "have", d.Version, "need", n.New.String()), "upgrade.precheck.advice.database-new")
	say("database:old", nil, n.Old.Fits(have),
		reason("upgrade.precheck.database-old", "kind", d.Kind, "have", d.Version, "need", n.Old.String()), "upgrade.precheck.advice.database-old")
	switch {
	case d.Oldest == nil && questions[d.Kind].oldest != "":
		add("transactions", continuity.FindingWarn, reason("upgrade.precheck.transactions-hidden"), "upgrade.precheck.advice.transactions-hidden")
	case d.Oldest != nil && *d.Oldest >= longOpen:
		add("transactions", continuity.FindingWarn, reason("upgrade.precheck.transactions", "age_seconds", d.Oldest.Seconds()), "upgrade.precheck.advice.transactions")
	}
	if len(d.Clients) > 0 {
		var list []string
		count := 0
		for _, c := range d.Clients {
			list = append(list, strings.TrimSpace(cmp.Or(c.Program, "?")+" "+c.Version)+fmt.Sprintf(" ×%d", c.Count))
			count += c.Count
		}
		add("clients", continuity.FindingOK, reason("upgrade.precheck.clients", "count", count, "list", strings.Join(list, ", ")), "")
	}
}

// judgePeople looks whether whoever is needed is on duty, and trained.
func judgePeople(n Needs, f Facts, add adder) {
	var there []Person // on duty for what is needed
	for _, p := range f.People {
		if len(n.OnDuty) == 0 && len(p.OnDuty) > 0 || slices.ContainsFunc(p.OnDuty, func(r string) bool { return slices.Contains(n.OnDuty, r) }) {
			there = append(there, p)
		}
	}
	for _, role := range n.OnDuty {
		var who []string
		for _, p := range there {
			if slices.Contains(p.OnDuty, role) {
				who = append(who, p.ID)
			}
		}
		if len(who) == 0 {
			add("role:"+role, continuity.FindingBlock, reason("upgrade.precheck.duty-nobody", "role", role), "upgrade.precheck.advice.duty", "role", role)
			continue
		}
		add("role:"+role, continuity.FindingOK, reason("upgrade.precheck.duty", "role", role, "who", strings.Join(who, ", ")), "")
	}
	for _, training := range n.Trained {
		var with, without []string
		for _, p := range there {
			if slices.Contains(p.Trained, training) {
				with = append(with, p.ID)
			} else {
				without = append(without, p.ID)
			}
		}
		id := "training:" + training
		switch {
		case len(with) == 0:
			add(id, continuity.FindingBlock, reason("upgrade.precheck.trained-nobody", "training", training), "upgrade.precheck.advice.trained", "training", training)
		case len(without) > 0:
			add(id, continuity.FindingWarn, reason("upgrade.precheck.trained-some", "training", training, "with", strings.Join(with, ", "), "without", strings.Join(without, ", ")),
				"upgrade.precheck.advice.trained", "training", training)
		default:
			add(id, continuity.FindingOK, reason("upgrade.precheck.trained", "training", training, "who", strings.Join(with, ", ")), "")
		}
	}
}

// Worst is the gravest level of findings; ok where there are none.
func Worst(all []continuity.UpgradeFinding) string {
	worst := continuity.FindingOK
	for _, f := range all {
		if f.Level == continuity.FindingBlock || f.Level == continuity.FindingWarn && worst == continuity.FindingOK {
			worst = f.Level
		}
	}
	return worst
}

func find[T any](all []T, is func(T) bool) *T {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return &all[i]
	}
	return nil
}

func get[T any](p *T) T {
	var v T
	if p != nil {
		v = *p
	}
	return v
}

// lacks is why something is not known.
func lacks(absent bool, why *continuity.CheckReason) *continuity.CheckReason {
	if absent {
		return unread("upgrade.precheck.not-looked")
	}
	return why
}

// size is bytes as people read them.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func percent(share float64) string { return fmt.Sprintf("%g%%", float64(int(share*1000+0.5))/10) }

// short is a length of time that may be less than a millisecond.
func short(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
