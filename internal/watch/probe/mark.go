package probe

import (
	"net/http"
	"time"

	"holdfast/internal/checkmark"
)

// Mark says that a request is a check's, so that a relay on its way can leave it
// out of what it tells of customers.
func (t *Tools) Mark(r *http.Request, check string) {
	checkmark.Set(r, t.MarkKey, check, time.Now())
}
