package notify

import "context"

// Gatherer is a Channel whose provider opens groups of people for a time.
type Gatherer interface {
	// Gather opens a group. An error is a *Failure.
	Gather(ctx context.Context, g Gathering) (Gathered, error)
	// Part closes a group; a provider that closes none says so by FailProvider.
	Part(ctx context.Context, id string) error
}

// Gathering is a group to be.
type Gathering struct {
	Key     string // of letters and digits: the same where it is asked for again
	Name    string
	Members []string // addresses of the channel's kind
}

// Gathered is a group that a provider opened.
type Gathered struct {
	ID   string `json:"id"`
	Link string `json:"link,omitempty"` // by which others join
}
