package continuity

import (
	"encoding/json"
	"time"
)

// KindSpoken is the kind of objects that note what was said of an incident by itself:
// reminders, and warnings of the law's clock. Each is below its incident.
const KindSpoken = "spoken"

// Spoken notes what was said of an incident by itself, so that nothing is said twice.
type Spoken struct {
	ID       string               `json:"id"` // INCIDENT.spoken
	Incident string               `json:"incident"`
	Service  string               `json:"service"`
	Marks    map[string]time.Time `json:"marks"` // by what was said, the time that it was said for
}

// SpokenID is the id of what was said of an incident.
func SpokenID(incident string) string { return incident + ".spoken" }

// Change is the change that makes it so.
func (s *Spoken) Change(version int64) Change {
	body, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return Change{Kind: KindSpoken, ID: s.ID, Service: s.Service, Version: version, Body: body, Action: "words.reminded"}
}
