// Package kinds is the one table of the ways to send. A new one is a package
// below notify and a line here.
package kinds

import (
	"holdfast/internal/notify"
	"holdfast/internal/notify/exec"
	"holdfast/internal/notify/terminal"
	"holdfast/internal/notify/webhook"
)

// All are the kinds by their names.
var All = table(
	webhook.Kind,
	terminal.Kind,
	exec.Kind,
)

func table(kinds ...notify.Kind) map[string]notify.Kind {
	all := map[string]notify.Kind{}
	for _, k := range kinds {
		all[k.Name] = k
	}
	return all
}
