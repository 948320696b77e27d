// Package aliyun sends text messages and makes calls by Alibaba Cloud (阿里云):
// SendSms of Dysmsapi and SingleCallByTts of Dyvmsapi, signed as V3 of its APIs
// says (ACS3-HMAC-SHA256).
//
// It takes no idempotency key: OutId is only given back in receipts. A message
// that may have been taken is repeated only marked as such, so far as its approved
// text has room for a mark.
package aliyun
