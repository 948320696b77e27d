package notify

// SameAddress reports whether two addresses are one, as providers write them.
func SameAddress(a, b string) bool { return sameAddress(a, b) }

// OwnWords are what a person wrote in an answer: its first line of their own, without
// the code by which the answer is recognised.
func OwnWords(text string) string { return ownWords(text) }
