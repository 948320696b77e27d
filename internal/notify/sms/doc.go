// Package sms is what the channels of text messages and calls have in common: how
// numbers are written, how long a message is, how much one number takes, and who
// may say what became of a message.
//
// None of their providers signs what it sends back. So whoever calls must know a
// secret that stands in the address, and come from where the settings say.
package sms
