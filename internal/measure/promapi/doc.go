// Package promapi answers questions as Prometheus does, so that Grafana and other
// clients of its HTTP API can read the measures: query, query_range, series,
// labels, label values, metadata, and what they ask of the build. It only reads.
// Who may ask is for the server above it to say.
package promapi
