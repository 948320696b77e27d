package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Report is what a file of evidence says that is as it was sealed.
type Report struct {
	Incident string           `json:"incident"`
	Service  string           `json:"service"`
	Made     time.Time        `json:"made"`
	By       continuity.Actor `json:"by"`
	Node     string           `json:"node"`
	Program  string           `json:"program"`
	Key      string           `json:"key"` // its fingerprint
	Sum      string           `json:"sha256"`
	Events   int              `json:"events"`
	Objects  int              `json:"objects"`
	First    int64            `json:"first_event,omitempty"`
	Last     int64            `json:"last_event,omitempty"`
	Whole    bool             `json:"chain_whole"`
	Masked   int              `json:"masked"` // events of which something is hidden
	Left     int              `json:"left_out,omitempty"`
}

// changed is the error of a file that is not as it was sealed, or none; what says
// which of its parts.
func changed(what string, err error) error {
	return continuity.E(continuity.CodeEvidence, err, "what", what)
}

// zipMagic is how every archive begins.
var zipMagic = []byte("PK\x03\x04")

// isFingerprint reports whether a text can be the fingerprint of a key.
func isFingerprint(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == fingerprintSize
}

// Verify reads a file of evidence and finds any change of it. A key's fingerprint that
// is given must be that of the node whose signature it bears; without one whoever
// looks has to compare it.
func Verify(sealed []byte, key string) (r Report, err error) {
	if !bytes.HasPrefix(sealed, zipMagic) {
		return r, changed("other", nil)
	}
	if key = strings.ToLower(strings.TrimSpace(key)); key != "" && !isFingerprint(key) {
		return r, continuity.E(continuity.CodeInvalid, nil, "detail_id", "evidence.invalid.key", "value", key)
	}
	all, err := parts(sealed)
	if err != nil {
		return r, changed("form", err)
	}
	names := []string{manifestFile, signatureFile, eventsFile, chainFile, objectsFile, readmeFile}
	if len(all) != len(names) {
		return r, changed("form", nil)
	}
	for i, p := range all {
		if p.name != names[i] {
			return r, changed("form", nil)
		}
	}
	head, public, err := opened(all[0].content, all[1].content)
	if err != nil {
		return r, err
	}
	for i, p := range all[2:] {
		if f := head.Files[i]; f.Name != p.name || f.Size != int64(len(p.content)) || f.Sum != digest(sha256.Sum256(p.content)) {
			return r, changed(p.name, nil)
		}
	}
	if key != "" && key != Fingerprint(public) {
		return r, continuity.E(continuity.CodeEvidence, nil, "what", "key", "key", Fingerprint(public))
	}
	events, err := read[event](all[2].content)
	if err != nil {
		return r, changed(eventsFile, err)
	}
	links, err := read[Link](all[3].content)
	if err != nil {
		return r, changed(chainFile, err)
	}
	objects, err := read[object](all[4].content)
	if err != nil {
		return r, changed(objectsFile, err)
	}
	whole := whole(links, events)
	if len(events) != head.Events || len(links) != head.Links || len(objects) != head.Objects || whole != head.Whole || !linked(links, events) {
		return r, changed("chain", nil)
	}
	sum := sha256.Sum256(sealed)
	r = Report{
		Incident: head.Incident, Service: head.Service, Made: head.Made, By: head.By, Node: head.Node, Program: head.Program,
		Key: Fingerprint(public), Sum: hex.EncodeToString(sum[:]), Events: len(events), Objects: len(objects), Whole: whole, Left: head.Left,
	}
	for i := range events {
		e := &events[i]
		if !e.intact() {
			return Report{}, changed("chain", nil)
		}
		if e.Masked || e.Blurred || e.Erased {
			r.Masked++
		}
	}
	if len(events) > 0 {
		r.First, r.Last = events[0].Seq, events[len(events)-1].Seq
	}
	return r, nil
}

// opened reads a manifest that its key has signed.
func opened(text, signature []byte) (head manifest, public ed25519.PublicKey, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&head); err != nil || head.Format != Format || len(head.Files) != 4 {
		return head, nil, changed(manifestFile, err)
	}
	public, err = base64.StdEncoding.Strict().DecodeString(head.Key)
	if err != nil || len(public) != ed25519.PublicKeySize {
		return head, nil, changed(manifestFile, err)
	}
	by, ended := strings.CutSuffix(string(signature), "\n")
	sig, err := base64.StdEncoding.Strict().DecodeString(by)
	if err != nil || !ended || strings.ContainsAny(by, "\r\n") || !ed25519.Verify(public, signed(text), sig) {
		return head, nil, changed(signatureFile, err)
	}
	return head, public, nil
}

func read[T any](text []byte) (all []T, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	for {
		var v T
		switch err := d.Decode(&v); err {
		case nil:
			all = append(all, v)
		case io.EOF:
			return all, nil
		default:
			return nil, err
		}
	}
}
