package slack

import (
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

// codes are those of chat.postMessage and of incoming webhooks.
var codes = func() httpsend.Codes {
	all := httpsend.Codes{
		"ratelimited": {Code: notify.FailRate, Retry: true}, "rate_limited": {Code: notify.FailRate, Retry: true},
		"message_limit_exceeded": {Code: notify.FailRate, Retry: true, After: time.Minute},

		// Slack says of these that a part of the work may have been done.
		"fatal_error":     {Code: notify.FailProvider, Retry: true, Maybe: true},
		"internal_error":  {Code: notify.FailProvider, Retry: true, Maybe: true},
		"request_timeout": {Code: notify.FailProvider, Retry: true, Maybe: true},
		"rollup_error":    {Code: notify.FailProvider, Retry: true, Maybe: true},

		"service_unavailable": {Code: notify.FailProvider, Retry: true},
		"team_added_to_org":   {Code: notify.FailProvider, Retry: true, After: time.Hour},
	}
	for meaning, names := range map[string][]string{
		notify.FailRefused: {
			"access_denied", "accesslimited", "account_inactive", "action_prohibited", "ekm_access_denied", "enterprise_is_restricted",
			"invalid_auth", "invalid_token", "missing_scope", "no_active_hooks", "no_permission", "no_service", "no_team",
			"not_allowed_token_type", "not_authed", "org_login_required", "posting_to_general_channel_denied",
			"restricted_action", "restricted_action_non_threadable_channel", "restricted_action_read_only_channel",
			"restricted_action_thread_locked", "restricted_action_thread_only_channel", "team_access_not_granted", "team_disabled",
			"token_expired", "token_revoked", "two_factor_setup_required",
		},
		notify.FailAddress: {
			"cannot_dm_bot", "channel_is_archived", "channel_not_found", "is_archived", "messages_tab_disabled", "not_in_channel",
			"user_disabled", "user_not_found", "user_not_visible",
		},
		notify.FailContent: {
			"invalid_arguments", "invalid_blocks", "invalid_charset", "invalid_json", "invalid_payload", "json_not_object",
			"msg_blocks_too_long", "msg_too_long", "no_text", "too_many_attachments",
		},
	} {
		for _, name := range names {
			all[name] = notify.Failure{Code: meaning}
		}
	}
	return all
}()
