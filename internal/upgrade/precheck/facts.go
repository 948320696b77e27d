package precheck

import (
	"time"

	"holdfast/internal/continuity"
)

// Needs is what an upgrade needs. What is empty is not asked for.
type Needs struct {
	CPU      int             `json:"cpu,omitempty"`    // processors
	Memory   int64           `json:"memory,omitempty"` // bytes that are to be had
	Disk     []Space         `json:"disk,omitempty"`
	Kernel   Range           `json:"kernel,omitzero"`
	Programs []Program       `json:"programs,omitempty"`
	Ports    []string        `json:"ports,omitempty"` // addresses on which nothing listens
	Peers    []Peer          `json:"peers,omitempty"`
	Database *DatabaseNeeded `json:"database,omitempty"`
	OnDuty   []string        `json:"on_duty,omitempty"` // roles
	Trained  []string        `json:"trained,omitempty"` // trainings of those who are on duty
}

// Space is what is to be free where a path is.
type Space struct {
	Path   string  `json:"path"`
	Free   int64   `json:"free,omitempty"`    // bytes
	OfData float64 `json:"of_data,omitempty"` // of the database's size: 1.5 for half as much again
}

// Program is a program or a library of which some versions fit.
type Program struct {
	ID       string `json:"id"`
	Versions Range  `json:"versions"`
}

// Peer is another machine, by the address of the service that is needed there.
type Peer struct {
	Address string        `json:"address"`
	RTT     time.Duration `json:"rtt,omitempty"`  // on the average at most
	Loss    *float64      `json:"loss,omitempty"` // at most such a share
}

// DatabaseNeeded is with which versions of the server the releases work: the one that
// comes, and the one that it goes back to.
type DatabaseNeeded struct {
	Old Range `json:"old_release"`
	New Range `json:"new_release"`
}

// Facts are how things are. Where Unread is there, the rest of a fact is not.
type Facts struct {
	At       time.Time     `json:"at"`
	CPU      CPU           `json:"cpu"`
	Memory   Memory        `json:"memory"`
	Kernel   Kernel        `json:"kernel"`
	Disks    []Disk        `json:"disks,omitempty"`
	Programs []ProgramFact `json:"programs,omitempty"`
	Ports    []Port        `json:"ports,omitempty"`
	Peers    []PeerFact    `json:"peers,omitempty"`
	Database *Database     `json:"database,omitempty"`
	People   []Person      `json:"people,omitempty"`
}

// CPU is the machine's processors.
type CPU struct {
	Count  int                     `json:"count"`
	Load   float64                 `json:"load"` // of a minute, for each processor
	Unread *continuity.CheckReason `json:"unread,omitempty"`
}

// Memory is the machine's, in bytes.
type Memory struct {
	Total     int64                   `json:"total"`
	Available int64                   `json:"available"`
	Unread    *continuity.CheckReason `json:"unread,omitempty"`
}

// Kernel is the system's.
type Kernel struct {
	System  string                  `json:"system"`
	Version string                  `json:"version"`
	Unread  *continuity.CheckReason `json:"unread,omitempty"`
}

// Disk is the file system in which a path is, in bytes.
type Disk struct {
	Path   string                  `json:"path"`
	Mount  string                  `json:"mount"` // the folder of it that is there: the path itself may be still to come
	Total  int64                   `json:"total"`
	Free   int64                   `json:"free"`  // to those who are not root
	Files  float64                 `json:"files"` // share of its files that are used; 0 where it does not count them
	Unread *continuity.CheckReason `json:"unread,omitempty"`
}

// ProgramFact is a program's version.
type ProgramFact struct {
	ID      string                  `json:"id"`
	Version string                  `json:"version"`
	Unread  *continuity.CheckReason `json:"unread,omitempty"`
}

// Port is whether an address can be listened on.
type Port struct {
	Address string                  `json:"address"`
	Free    bool                    `json:"free"`
	Holder  string                  `json:"holder,omitempty"` // the program that listens there, where the system tells
	PID     int32                   `json:"pid,omitempty"`
	Unread  *continuity.CheckReason `json:"unread,omitempty"`
}

// PeerFact is how another machine is reached.
type PeerFact struct {
	Address  string                  `json:"address"`
	By       string                  `json:"by"` // ping or tcp
	Sent     int                     `json:"sent"`
	Received int                     `json:"received"`
	RTT      time.Duration           `json:"rtt"` // on the average
	Worst    time.Duration           `json:"worst"`
	Unread   *continuity.CheckReason `json:"unread,omitempty"` // its service can't be reached at all
}

// Loss is the share that was lost.
func (p PeerFact) Loss() float64 {
	if p.Sent == 0 {
		return 0
	}
	return float64(p.Sent-p.Received) / float64(p.Sent)
}

// Database is the one that is migrated.
type Database struct {
	Kind    string                  `json:"kind"`
	Version string                  `json:"version"`
	Bytes   int64                   `json:"bytes"`
	Clients []Client                `json:"clients,omitempty"`
	Oldest  *time.Duration          `json:"oldest_transaction,omitempty"` // how long it has been under way; nil: the server did not tell
	Unread  *continuity.CheckReason `json:"unread,omitempty"`
}

// Client is a kind of client that is connected.
type Client struct {
	Program string `json:"program"`           // as it calls itself
	Version string `json:"version,omitempty"` // where the server tells
	Count   int    `json:"count"`
}

// Person is somebody who is on duty. Whoever knows the plan says it.
type Person struct {
	ID      string   `json:"id"`
	OnDuty  []string `json:"on_duty"` // roles, now
	Trained []string `json:"trained"` // trainings that still count
}

func reason(code string, pairs ...any) continuity.CheckReason {
	r := continuity.CheckReason{Code: code}
	for i := 0; i+1 < len(pairs); i += 2 {
		if r.Args == nil {
			r.Args = map[string]any{}
		}
		r.Args[pairs[i].(string)] = pairs[i+1]
	}
	return r
}

func unread(code string, pairs ...any) *continuity.CheckReason {
	r := reason(code, pairs...)
	return &r
}
