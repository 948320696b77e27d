package continuity

import "time"

// KindSwitched is the kind of objects that say that one channel takes the place of
// another; KindPause, of those that say that something pauses.
const (
	KindSwitched = "switched"
	KindPause    = "pause"
)

// Switched says that what would go over one channel of a plan goes over another.
type Switched struct {
	ID      string    `json:"id"` // SERVICE.FROM
	Service string    `json:"service"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Since   time.Time `json:"since"`
	About   string    `json:"about,omitempty"`
	By      string    `json:"by"` // the run
}

// Pause says that something of a service pauses, as bulk uploads.
type Pause struct {
	ID      string    `json:"id"` // SERVICE.uploads or SERVICE.uploads.WHAT
	Service string    `json:"service"`
	What    string    `json:"what"`
	Since   time.Time `json:"since"`
	About   string    `json:"about,omitempty"`
	By      string    `json:"by"` // the run or window
}

// SwitchedID is the id of what is said of a service's channel.
func SwitchedID(service, from string) string { return service + "." + from }

// PauseID is the id of the pause of a service's uploads; what may be empty.
func PauseID(service, what string) string {
	if what == "" {
		return service + ".uploads"
	}
	return service + ".uploads." + what
}
