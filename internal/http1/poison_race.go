//go:build race

package http1

// poisons has spent texts overwritten at once, so that tests see who kept one.
const poisons = true
