// Package kinds is the one table of the ways to send. A new one is a package
// below notify and a line here.
package kinds

import (
	"holdfast/internal/notify"
	"holdfast/internal/notify/aliyun"
	"holdfast/internal/notify/exec"
	"holdfast/internal/notify/smshttp"
	"holdfast/internal/notify/tencent"
	"holdfast/internal/notify/terminal"
	"holdfast/internal/notify/webhook"
)

// All are the kinds by their names.
var All = table(
	webhook.Kind,
	terminal.Kind,
	exec.Kind,
	smshttp.Kind,
	aliyun.SMS, aliyun.Voice,
	tencent.SMS, tencent.Voice,
)

func table(kinds ...notify.Kind) map[string]notify.Kind {
	all := map[string]notify.Kind{}
	for _, k := range kinds {
		all[k.Name] = k
	}
	return all
}
