package backup

import (
	"crypto/rand"
	"encoding/base32"
	"path"
	"regexp"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// What lies beside the file of a piece, under its name and these.
const (
	Extension      = ".bak"
	ManifestSuffix = ".manifest" // written last: without it the file is nothing
	ProofSuffix    = ".proof"    // what the newest restore for proof found
)

const (
	dayForm    = "20060102"
	timeForm   = "150405"
	idLength   = 10
	idAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
)

var (
	idForm     = regexp.MustCompile(`^[a-z2-7]{10}$`)
	folderForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`) // as ids of plans are
)

// Name is where the file of a piece lies, from the top of its target.
type Name struct {
	Service, Set string
	Type         string
	Started      time.Time // to the second, in UTC
	ID           string
}

// NewID makes an id of a piece: 50 random bits.
func NewID() string {
	var raw [7]byte
	rand.Read(raw[:]) // never fails
	return base32.NewEncoding(idAlphabet).EncodeToString(raw[:])[:idLength]
}

// File is the name without its folder.
func (n Name) File() string {
	at := n.Started.UTC()
	return strings.Join([]string{at.Format(dayForm), n.Set, n.Type, at.Format(timeForm), n.ID}, "-") + Extension
}

// Folder is where all pieces of the set lie.
func (n Name) Folder() string { return path.Join(n.Service, n.Set) }

// Path is the whole name.
func (n Name) Path() string { return path.Join(n.Folder(), n.File()) }

// Check says whether the name can be read again from what it is written as.
func (n Name) Check() error {
	if again, err := ParseName(n.Path()); err != nil || again.Path() != n.Path() {
		return notAName(n.Path())
	}
	return nil
}

// ParseName reads the path of the file of a piece. Ids of sets may hold what parts the
// rest, so it is read from both ends.
func ParseName(p string) (Name, error) {
	parts := strings.Split(p, "/")
	if len(parts) != 3 || !folderForm.MatchString(parts[0]) || !folderForm.MatchString(parts[1]) {
		return Name{}, notAName(p)
	}
	n := Name{Service: parts[0], Set: parts[1]}
	words := strings.Split(strings.TrimSuffix(parts[2], Extension), "-")
	last := len(words) - 1
	if last < 4 {
		return Name{}, notAName(p)
	}
	n.ID, n.Type = words[last], words[last-2]
	started, err := time.Parse(dayForm+timeForm, words[0]+words[last-1])
	n.Started = started
	if err != nil || !idForm.MatchString(n.ID) || n.Type != TypeFull && n.Type != TypeDelta && n.Type != TypeLog || n.Path() != p {
		return Name{}, notAName(p)
	}
	return n, nil
}

func notAName(p string) error {
	return continuity.E(continuity.CodeInvalid, nil, "detail_id", "backup.invalid.name", "name", p)
}

// Name is where the piece lies.
func (m Manifest) Name() Name {
	return Name{Service: m.Service, Set: m.Set, Type: m.Type, Started: m.Started, ID: m.ID}
}

// Path is where the file of the piece lies, from the top of its target.
func (m Manifest) Path() string { return path.Join(m.Service, m.Set, m.File) }
