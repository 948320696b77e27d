//go:build !race

package http1

const poisons = false
