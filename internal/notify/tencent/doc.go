// Package tencent sends text messages and makes calls by Tencent Cloud (腾讯云):
// SendSms of SMS 2021-01-11 and SendTtsVoice of VMS 2020-09-02, signed as version 3
// of its APIs says (TC3-HMAC-SHA256).
//
// It takes no idempotency key: the session's context is only given back.
package tencent
