package people

import (
	"errors"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// mostAddresses bounds how many ways there are to one person.
const mostAddresses = 50

// check says what of a person can't be meant.
func check(p continuity.Person) error {
	if len(p.Addresses) > mostAddresses {
		return refused("many-addresses", "id", p.ID, "most", mostAddresses)
	}
	for _, a := range p.Addresses {
		example, ok := a.Fits()
		switch {
		case example == "":
			return refused("address-kind", "id", p.ID, "kind", a.Kind, "words", continuity.AddressKinds())
		case !ok:
			return refused("address-form", "id", p.ID, "kind", a.Kind, "example", example)
		case a.For != "" && a.For != continuity.ForPage:
			return refused("address-for", "id", p.ID, "kind", a.Kind, "value", a.For)
		}
	}
	if p.Language != "" && !slices.Contains([]string{"en", "zh"}, p.Language) {
		return refused("language", "id", p.ID, "value", p.Language)
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "Local" {
		return refused("zone", "id", p.ID, "value", p.Zone)
	}
	for _, q := range p.Quiet {
		if !q.Fits() {
			return refused("quiet-hours", "id", p.ID)
		}
	}
	return nil
}

// refused never bears an address: a refusal may be written down.
func refused(why string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, errors.New("people: "+why), append([]any{"detail_id", "people.invalid." + why}, pairs...)...)
}
