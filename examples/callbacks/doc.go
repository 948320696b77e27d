// Package callbacks shows a relay before the addresses at which payment
// providers tell a shop that somebody paid: its configuration is relay.yaml, and
// README.md says in plain words why it is as it is.
//
// The rest stands in for the two ends. A Provider signs its notices as Alipay,
// WeChat Pay v3 or WeChat Pay v2 do, and sends each again until it gets the
// answer that it wants. A Merchant verifies the signature over the bytes that
// arrive, answers in the provider's own form, and books each notice once. The
// tests run the real relay between them.
package callbacks
