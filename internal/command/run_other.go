//go:build !linux

package command

import "context"

// Main becomes another program where this one was started for it.
func Main() {}

// Run refuses: the bounds are known to hold on Linux only.
func (*Spec) Run(context.Context, []string, string) (Outcome, error) {
	return Outcome{}, refused("system")
}

// Sweep ends all processes of an attempt.
func Sweep(string) int { return 0 }
