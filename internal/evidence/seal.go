package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"holdfast/internal/catalogue"
)

// readmeFile says to whoever opens the archive what it is.
const readmeFile = "README.txt"

// signed is what a signature covers.
func signed(manifest []byte) []byte { return append([]byte("holdfast evidence 1\n"), manifest...) }

// line is a document in one line; texts stay as they are stored, so that sums fit.
func line(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// lines are documents one below the other; what goes beyond the bounds is left out.
func lines[T any](all []T, most int) (text []byte, n int, err error) {
	for _, v := range all[:min(len(all), most)] {
		one, err := line(v)
		if err != nil {
			return nil, 0, err
		}
		if len(text)+len(one) > mostBytes {
			break
		}
		text, n = append(text, one...), n+1
	}
	return text, n, nil
}

// Seal makes the file of a case. It returns its sum, too.
func Seal(c *Case, key ed25519.PrivateKey) (sealed []byte, sum string, err error) {
	m := newMasking(c.Hidden)
	events := make([]event, len(c.Events))
	for i := range c.Events {
		events[i] = m.event(&c.Events[i])
	}
	objects := make([]object, len(c.Objects))
	for i, o := range c.Objects {
		body, masked := m.json(o.Body)
		objects[i] = object{o.Kind, o.ID, o.Service, o.Version, o.Updated.UTC(), body, masked}
	}
	var of struct{ events, links, objects []byte }
	public := key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // of an ed25519 key
	head := manifest{
		Format: Format, Incident: c.Incident, Service: c.Service, Made: c.Made.UTC(), By: c.By, Node: c.Node, Program: c.Program,
		Key: base64.StdEncoding.EncodeToString(public), Left: c.Left,
	}
	if of.events, head.Events, err = lines(events, MostEvents); err != nil {
		return nil, "", err
	}
	if of.links, head.Links, err = lines(c.Links, MostLinks); err != nil {
		return nil, "", err
	}
	if of.objects, head.Objects, err = lines(objects, MostObjects); err != nil {
		return nil, "", err
	}
	head.Left += len(events) - head.Events + len(objects) - head.Objects
	head.Whole = whole(c.Links[:head.Links], events[:head.Events])
	args := catalogue.Args{"incident": c.Incident, "key": Fingerprint(public)}
	readme := catalogue.Text(catalogue.En, "evidence.readme", args) + "\n\n" + catalogue.Text(catalogue.Zh, "evidence.readme", args) + "\n"
	files := []part{{eventsFile, of.events}, {chainFile, of.links}, {objectsFile, of.objects}, {readmeFile, []byte(readme)}}
	for _, f := range files {
		head.Files = append(head.Files, file{f.name, int64(len(f.content)), sha256.Sum256(f.content)})
	}
	text, err := line(head)
	if err != nil {
		return nil, "", err
	}
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(key, signed(text))) + "\n"
	sealed = archive(append([]part{{manifestFile, text}, {signatureFile, []byte(signature)}}, files...))
	whole := sha256.Sum256(sealed)
	return sealed, hex.EncodeToString(whole[:]), nil
}

// FileName is how such a file is called.
func FileName(incident string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, incident) + ".evidence.zip"
}
