// Package targettest says what every kind of target has to do, and starts a real S3
// server for tests.
package targettest
