// Package probes runs a control node and probe nodes as processes, in networks of
// their own, and cuts and kills them.
package probes
