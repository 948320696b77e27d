// Package remotewrite sends samples on to any store that takes Prometheus' remote
// write, version 1: protobuf, packed by snappy.
//
// Samples wait in a queue in memory, in their order. It is bounded: when it is
// full the oldest go, for what was measured last is worth most. One batch is on
// its way at a time, so that a series arrives in order. A batch that could not be
// delivered (no connection, 5xx, 429) is tried again, after Retry-After or ever
// longer up to a minute, until it is delivered or has to give way; one that the
// receiver refuses is dropped, or it would stop all others. What is dropped is
// counted. What waits when the program ends is lost here; it is in the own store.
package remotewrite
