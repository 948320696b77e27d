// Package scrape reads figures from where others show them in the text formats of
// Prometheus or OpenMetrics: other machines' exporters, the relay.
//
// The labels job and instance are the target's; a series that brings its own has
// them as exported_job and exported_instance. Times that a target states are not
// believed: a figure is of when it was read. Each reading adds up,
// scrape_duration_seconds and scrape_samples_scraped. It counts as a whole: what
// is too large, too slow, too much or malformed adds up = 0 and nothing else. A
// series that is missing from a reading, or whose target can't be read, is gone
// from then on.
//
// A client is handed in; whom it may speak to and whether it follows a redirect
// is its own matter.
package scrape
