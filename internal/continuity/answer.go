package continuity

import "time"

// APIAnswer is what was answered to a request that its caller may repeat, so that
// it is done once.
type APIAnswer struct {
	Caller  string   // whose key it is
	Key     string   // the caller's name for the request
	Request [32]byte // what was asked: another request under the same key is refused
	Begun   time.Time
	Until   time.Time // while it is being answered: whoever does so has given up by then

	// Set when it ended.
	Ended  bool
	Status int
	Type   string // of the body
	ETag   string
	Place  string // Location
	Body   []byte // nil with Withheld: it held a secret
	// Withheld says that the answer was not kept, as it held a secret.
	Withheld bool
}
