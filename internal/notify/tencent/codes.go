package tencent

import (
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/notify/sms"
)

// codes are what the provider's codes mean; the first that a code begins with
// counts, so the particular ones stand before their families.
var codes = []struct {
	begins string
	means  notify.Failure
}{
	{"LimitExceeded.PhoneNumberDailyLimit", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Hour}},
	{"LimitExceeded.DailyLimit", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Hour}},
	{"LimitExceeded.PhoneNumberCountLimit", notify.Failure{Code: notify.FailContent}},
	{"LimitExceeded", notify.Failure{Code: notify.FailRate, Retry: true, After: 30 * time.Second}},
	{"RequestLimitExceeded", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Second}},
	{"FailedOperation.InsufficientBalance", notify.Failure{Code: notify.FailBalance}},
	{"UnauthorizedOperation.ServiceSuspendDueToArrears", notify.Failure{Code: notify.FailBalance}},
	{"InvalidParameterValue.IncorrectPhoneNumber", notify.Failure{Code: notify.FailAddress}},
	{"FailedOperation.PhoneNumberParseFail", notify.Failure{Code: notify.FailAddress}},
	{"FailedOperation.PhoneNumberInBlacklist", notify.Failure{Code: notify.FailAddress}},
	{"FailedOperation.PhonenumberInBlacklist", notify.Failure{Code: notify.FailAddress}},
	{"FailedOperation.SignatureIncorrectOrUnapproved", notify.Failure{Code: notify.FailTemplate}},
	{"FailedOperation.MissingSignature", notify.Failure{Code: notify.FailTemplate}},
	{"FailedOperation.MissingTemplate", notify.Failure{Code: notify.FailTemplate}},
	{"FailedOperation.Template", notify.Failure{Code: notify.FailTemplate}},
	{"InvalidParameterValue.Template", notify.Failure{Code: notify.FailTemplate}},
	{"FailedOperation.ContainSensitiveWord", notify.Failure{Code: notify.FailContent}},
	{"FailedOperation.MarketingSendTimeConstraint", notify.Failure{Code: notify.FailContent}},
	{"InvalidParameterValue.ContentLengthLimit", notify.Failure{Code: notify.FailContent}},
	{"InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", notify.Failure{Code: notify.FailContent}},
	{"InvalidParameterValue.SdkAppIdNotExist", notify.Failure{Code: notify.FailSettings}},
	{"FailedOperation.PhoneNumberUnappliedOrExpired", notify.Failure{Code: notify.FailSettings}}, // the one that calls
	{"FailedOperation.PhonenumberUnappliedOrExpired", notify.Failure{Code: notify.FailSettings}},
	{"FailedOperation.AccessUpstreamTimeout", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
	{"FailedOperation.VoiceUpstream", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
	{"AuthFailure", notify.Failure{Code: notify.FailRefused}},
	{"UnauthorizedOperation", notify.Failure{Code: notify.FailRefused}},
	{"IpInBlacklist", notify.Failure{Code: notify.FailRefused}},
	{"IpNotInWhitelist", notify.Failure{Code: notify.FailRefused}},
	{"InternalError", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
	{"ResourceUnavailable", notify.Failure{Code: notify.FailProvider, Retry: true}},
	{"ServiceUnavailable", notify.Failure{Code: notify.FailProvider, Retry: true}},
	{"MissingParameter", notify.Failure{Code: notify.FailTemplate}},
	{"InvalidParameter", notify.Failure{Code: notify.FailTemplate}},
}

// failure is what a code means.
func failure(code string, said *httpsend.Answer) *notify.Failure {
	f := notify.Failure{Code: notify.FailUnknown}
	for i := range codes {
		if strings.HasPrefix(code, codes[i].begins) {
			f = codes[i].means
			break
		}
	}
	f.Status, f.Said = said.Status, sms.Code(code)
	return &f
}
