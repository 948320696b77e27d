// Package inbox is where messages arrive: a mail server, a text messages' and calls'
// provider, and pages that take signed webhooks, all on this machine. It checks what
// its real counterpart would check, by code of its own, and keeps what was taken, so
// that it can bear witness to what people were really told, and how often.
package inbox
