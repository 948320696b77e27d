package postgres

// ParseLSN is for tests.
var ParseLSN = parseLSN
