package continuity

import "time"

// KindRoute is the kind of objects that say how a relay treats a route of a service,
// as the control plane sees it.
const KindRoute = "route"

// RouteSeen is how a relay treats a route.
type RouteSeen struct {
	ID      string    `json:"id"` // SERVICE/ROUTE
	Service string    `json:"service"`
	Route   string    `json:"route"`
	Relay   string    `json:"relay"`
	Mode    Mode      `json:"mode"`             // unreachable: nothing is learnt of the relay
	Health  string    `json:"health,omitempty"` // of the system behind
	By      []string  `json:"by,omitempty"`     // who put the settings that stand
	Why     []string  `json:"why,omitempty"`    // their reasons
	Since   time.Time `json:"since"`            // it is known to be so
}

// ModeUnreachable is the mode of routes of a relay that does not answer.
const ModeUnreachable Mode = "unreachable"
