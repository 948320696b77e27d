// Package kinds is the one table of the ways to send. A new one is a package
// below notify and a line here.
package kinds

import (
	"holdfast/internal/notify"
	"holdfast/internal/notify/mail"
	"holdfast/internal/notify/webhook"
)

// All are the kinds by their names.
var All = table(
	mail.Kind,
	webhook.Kind,
)

func table(kinds ...notify.Kind) map[string]notify.Kind {
	all := map[string]notify.Kind{}
	for _, k := range kinds {
		all[k.Name] = k
	}
	return all
}
