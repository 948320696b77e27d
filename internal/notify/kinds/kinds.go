// Package kinds is the one table of the ways to send. A new one is a package
// below notify and a line here.
package kinds

import (
	"holdfast/internal/notify"
	"holdfast/internal/notify/aliyun"
	"holdfast/internal/notify/dingtalk"
	"holdfast/internal/notify/exec"
	"holdfast/internal/notify/feishu"
	"holdfast/internal/notify/mail"
	"holdfast/internal/notify/ntfy"
	"holdfast/internal/notify/slack"
	"holdfast/internal/notify/smshttp"
	"holdfast/internal/notify/telegram"
	"holdfast/internal/notify/tencent"
	"holdfast/internal/notify/terminal"
	"holdfast/internal/notify/webhook"
	"holdfast/internal/notify/wecom"
	"holdfast/internal/notify/whatsapp"
)

// All are the kinds by their names.
var All = table(
	mail.Kind,
	webhook.Kind,
	terminal.Kind,
	exec.Kind,
	smshttp.Kind,
	aliyun.SMS, aliyun.Voice,
	tencent.SMS, tencent.Voice,
	slack.Kind, slack.WebhookKind,
	telegram.Kind,
	wecom.Kind, wecom.RobotKind,
	dingtalk.Kind,
	feishu.Kind,
	whatsapp.Kind,
	ntfy.Kind,
)

func table(kinds ...notify.Kind) map[string]notify.Kind {
	all := map[string]notify.Kind{}
	for _, k := range kinds {
		all[k.Name] = k
	}
	return all
}
