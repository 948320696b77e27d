// Package host measures the machine that the program runs on: processors, memory,
// disks, file systems, network, load, how long it is up. The names are those of
// node_exporter, so that what is known about them in dashboards and rules holds.
//
// A part that can't be read is left out, and the others are there: its series end,
// and what is said about them is unknown. Only file systems on devices of this
// machine are asked, for one from elsewhere may never answer.
package host
