package aliyun

import (
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/notify/sms"
)

// codes are what the provider's codes mean; those that begin with a word of
// families mean what it says.
var codes = map[string]notify.Failure{
	"isv.BUSINESS_LIMIT_CONTROL":  {Code: notify.FailRate, Retry: true, After: time.Minute},
	"isv.DAY_LIMIT_CONTROL":       {Code: notify.FailRate, Retry: true, After: time.Hour},
	"isv.MONTH_LIMIT_CONTROL":     {Code: notify.FailRate},
	"isv.AMOUNT_NOT_ENOUGH":       {Code: notify.FailBalance},
	"isv.OUT_OF_SERVICE":          {Code: notify.FailBalance},
	"isv.MOBILE_NUMBER_ILLEGAL":   {Code: notify.FailAddress},
	"isv.MOBILE_COUNT_OVER_LIMIT": {Code: notify.FailAddress},
	"isv.BLACK_KEY_CONTROL_LIMIT": {Code: notify.FailContent},
	"isv.SMS_CONTENT_ILLEGAL":     {Code: notify.FailContent},
	"isv.SMS_CONTENT_MISMATCH":    {Code: notify.FailTemplate},
	"isv.PARAM_LENGTH_LIMIT":      {Code: notify.FailContent},
	"isv.PARAM_NOT_SUPPORT_URL":   {Code: notify.FailContent},
	"isv.INVALID_JSON_PARAM":      {Code: notify.FailTemplate},
	"isv.INVALID_PARAMETERS":      {Code: notify.FailTemplate},
	"isv.SMS_TEMPLATE_ILLEGAL":    {Code: notify.FailTemplate},
	"isv.SMS_SIGNATURE_ILLEGAL":   {Code: notify.FailTemplate},
	"isv.SMS_SIGN_ILLEGAL":        {Code: notify.FailTemplate},
	"isv.EXTEND_CODE_ERROR":       {Code: notify.FailSettings},
	"isv.DISPLAY_NUMBER_ILLEGAL":  {Code: notify.FailSettings},
	"isv.BILLID_NOT_EXIST":        {Code: notify.FailSettings},
	"isv.COMPLAINT_REJECT":        {Code: notify.FailAddress},
	"isv.VOICE_CALL_PERIOD_ERROR": {Code: notify.FailProvider},
	"isv.VOICE_ROBOT_NOT_PERIOD":  {Code: notify.FailProvider},
	"isv.VOICE_CALL_FAIL":         {Code: notify.FailProvider, Retry: true, Maybe: true},
	"isv.DENY_IP_RANGE":           {Code: notify.FailRefused},
	"isp.RAM_PERMISSION_DENY":     {Code: notify.FailRefused},
	"isv.ACCOUNT_NOT_EXISTS":      {Code: notify.FailRefused},
	"isv.ACCOUNT_ABNORMAL":        {Code: notify.FailRefused},
	"SignatureDoesNotMatch":       {Code: notify.FailRefused},
	"SignatureNonceUsed":          {Code: notify.FailProvider, Retry: true},
	"isp.SYSTEM_ERROR":            {Code: notify.FailProvider, Retry: true, Maybe: true},
	"ServiceUnavailable":          {Code: notify.FailProvider, Retry: true},
	"InternalError":               {Code: notify.FailProvider, Retry: true, Maybe: true},
}

var families = []struct {
	begins string
	means  notify.Failure
}{
	{"isv.SMS_TEMPLATE", notify.Failure{Code: notify.FailTemplate}},
	{"isv.TEMPLATE_", notify.Failure{Code: notify.FailTemplate}},
	{"isv.TTS_TEMPLATE", notify.Failure{Code: notify.FailTemplate}},
	{"isv.SMS_SIGN", notify.Failure{Code: notify.FailTemplate}},
	{"isv.SIGN_", notify.Failure{Code: notify.FailTemplate}},
	{"isv.PRODUCT_UN", notify.Failure{Code: notify.FailRefused}},
	{"isv.DOMESTIC_NUMBER", notify.Failure{Code: notify.FailAddress}},
	{"InvalidAccessKeyId", notify.Failure{Code: notify.FailRefused}},
	{"InvalidTimeStamp", notify.Failure{Code: notify.FailRefused}}, // this machine's clock
	{"IncompleteSignature", notify.Failure{Code: notify.FailRefused}},
	{"Forbidden", notify.Failure{Code: notify.FailRefused}},
	{"NoPermission", notify.Failure{Code: notify.FailRefused}},
	{"Throttling", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Second}},
	{"isp.", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
}

// failure is what a code means. One that is not known is final where the provider
// says that it is the sender's (isv), and may be tried again otherwise.
func failure(code string, said *httpsend.Answer, now time.Time) *notify.Failure {
	f, known := codes[code]
	for i := 0; !known && i < len(families); i++ {
		if strings.HasPrefix(code, families[i].begins) {
			f, known = families[i].means, true
		}
	}
	switch {
	case known:
	case strings.HasPrefix(code, "isv."):
		f = notify.Failure{Code: notify.FailUnknown}
	case !said.OK():
		f = *httpsend.Status(said.Status, said.Header, now)
	default:
		f = notify.Failure{Code: notify.FailUnknown, Retry: true, Maybe: true}
	}
	f.Status, f.Said = said.Status, sms.Code(code)
	return &f
}
