package backupfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"holdfast/internal/backup"
	"holdfast/internal/backupkey"
)

// MaxDocument is how long a signed document may be: figures of thousands of tables fit.
const MaxDocument = 16 << 20

// version of signed documents.
const version = 1

// Kinds of documents. None is taken for the other.
const (
	kindManifest = "manifest"
	kindProof    = "proof"
)

// SignManifest writes a manifest with its signature.
func SignManifest(m backup.Manifest, ring *backupkey.Ring) ([]byte, error) {
	return sign(kindManifest, m, ring)
}

// ReadManifest reads a manifest that a key of the ring has signed.
func ReadManifest(raw []byte, ring *backupkey.Ring) (backup.Manifest, error) {
	var m backup.Manifest
	err := verify(kindManifest, raw, ring, &m)
	if err == nil && m.Format != version {
		err = unknownVersion(m.Format)
	}
	if err != nil {
		return backup.Manifest{}, err
	}
	return m, nil
}

// SignProof writes a proof with its signature.
func SignProof(p backup.Proof, ring *backupkey.Ring) ([]byte, error) {
	return sign(kindProof, p, ring)
}

// ReadProof reads a proof that a key of the ring has signed.
func ReadProof(raw []byte, ring *backupkey.Ring) (backup.Proof, error) {
	var p backup.Proof
	err := verify(kindProof, raw, ring, &p)
	if err == nil && p.Format != version {
		err = unknownVersion(p.Format)
	}
	if err != nil {
		return backup.Proof{}, err
	}
	return p, nil
}

func unknownVersion(n int) error {
	return broken(fmt.Errorf("its format is %d, and this program knows %d", n, version))
}

// sign writes a line of JSON, and below it who vouches for it.
func sign(kind string, doc any, ring *backupkey.Ring) ([]byte, error) {
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	if len(body) > MaxDocument {
		return nil, broken(errors.New("it is too long"))
	}
	head := signed(kind)
	key, signature := ring.Sign(append([]byte(head), body...))
	return fmt.Appendf(nil, "%s\n%s %s %s\n", body, head[:len(head)-1], key, base64.StdEncoding.EncodeToString(signature)), nil
}

func verify(kind string, raw []byte, ring *backupkey.Ring, doc any) error {
	head := signed(kind)
	body, below, found := bytes.Cut(raw, []byte("\n"))
	line, ended := bytes.CutSuffix(below, []byte("\n"))
	words, ours := bytes.CutPrefix(line, []byte(head[:len(head)-1]+" "))
	key, text, parted := bytes.Cut(words, []byte(" "))
	if len(body) > MaxDocument || !found || !ended || !ours || !parted {
		return broken(fmt.Errorf("no signed %s of a backup that this program knows", kind))
	}
	signature, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || base64.StdEncoding.EncodeToString(signature) != string(text) { // line ends would pass
		return broken(errors.New("its signature can't be read"))
	}
	good, err := ring.Verify(string(key), append([]byte(head), body...), signature)
	if err != nil {
		return err
	}
	if !good {
		return broken(errors.New("it is not what was signed"))
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(doc); err != nil {
		return broken(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return broken(errors.New("more follows on it"))
	}
	return nil
}

// signed is what a signature of this kind is made over, before the document.
func signed(kind string) string {
	return fmt.Sprintf("holdfast backup %s %d\n", kind, version)
}
