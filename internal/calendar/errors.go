package calendar

import "holdfast/internal/continuity"

// invalid makes an error whose text for people is a message of the catalogue.
func invalid(id string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", id}, pairs...)...)
}

// brief cuts what somebody wrote to a length that a message bears.
func brief(text string) string {
	runes := []rune(text)
	if len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}
