package journal

import (
	"bytes"
	"io"
	"reflect"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/keyring"
)

func fuzzRing(t testing.TB) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// content is a File to read.
type content struct{ *bytes.Reader }

func newContent(b []byte) content { return content{bytes.NewReader(b)} }

func (c content) WriteAt([]byte, int64) (int, error)  { return 0, io.ErrShortWrite }
func (c content) Sync() error                         { return nil }
func (c content) SyncAll() error                      { return nil }
func (c content) Zero(int64, func(int64) error) error { return nil }
func (c content) Truncate(int64) error                { return nil }
func (c content) Size() (int64, error)                { return c.Reader.Size(), nil }
func (c content) Close() error                        { return nil }

func FuzzHeader(f *testing.F) {
	h, _, err := newHeader(fuzzRing(f), journalID{1}, 7, minSegment)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(h.marshal())
	f.Add(make([]byte, headerBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		if again, err := parseHeader(h.marshal()); err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("%+v became %+v, %v", h, again, err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	format := frameFormat{seq: 3, epoch: 5, size: minSegment}
	h, key, err := newHeader(fuzzRing(f), journalID{1}, 3, minSegment)
	if err != nil {
		f.Fatal(err)
	}
	frames := func(b []byte) []byte {
		b = format.append(b, firstFrame, firstFrame, noteOpened, make([]byte, 12), nil)
		b = format.append(b, firstFrame+int64(len(b)), firstFrame, 1, []byte("payload"), &sealer{aead: key})
		b = format.append(b, firstFrame+int64(len(b)), firstFrame, noteRetired, []byte{1, 0, 0, 0}, nil)
		return format.append(b, firstFrame+int64(len(b)), firstFrame+int64(len(b)), noteSynced, nil, nil)
	}
	f.Add(frames(nil))
	f.Add(append(make([]byte, 40), frames(nil)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		file := make([]byte, minSegment)
		copy(file[firstFrame:], b)
		seg := &segment{header: h, name: "fuzz", file: newContent(file)}
		seg.epoch = format.epoch
		seg.length.Store(minSegment)
		at := int64(firstFrame)
		err := seg.frames(firstFrame, -1, func(fr frame) bool {
			if fr.off < at || fr.end() > minSegment || fr.synced > fr.off {
				t.Fatalf("frame %+v behind %d", fr, at)
			}
			at = fr.end()
			info := frameInfo("fuzz", 3, fr)
			if info.Bytes < frameHead || info.Payload > info.Bytes {
				t.Fatalf("%+v", info)
			}
			return true
		}, func(h hole) {
			if h.off < at || h.next != 0 && h.next <= h.off {
				t.Fatalf("hole %+v behind %d", h, at)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// sink is a File to write.
type sink struct {
	content
	b []byte
}

func (s *sink) WriteAt(p []byte, off int64) (int, error) {
	s.b = append(s.b[:off], p...)
	return len(p), nil
}

func FuzzCheckpoint(f *testing.F) {
	ring := fuzzRing(f)
	s := &sink{}
	w, err := newCheckpointWriter(s, ring, journalID{1}, continuity.Position(9))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("state "), 100)); err != nil {
		f.Fatal(err)
	}
	if err := w.flush(lastChunk); err != nil {
		f.Fatal(err)
	}
	f.Add(s.b)
	f.Add(s.b[:checkpointHead])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newCheckpointReader(newContent(b))
		if err != nil {
			return
		}
		whole := r.check() == nil
		if r, err = newCheckpointReader(newContent(b)); err != nil {
			t.Fatal(err)
		}
		if r.key, err = r.header.cipher(ring); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err == nil && (!whole || len(got) > len(b)) {
			t.Fatalf("%d bytes of a file of %d that is not whole", len(got), len(b))
		}
	})
}

func FuzzIdentity(f *testing.F) {
	f.Add(identityText(journalID{1, 2, 3}))
	f.Add("id \n")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := parseIdentity(text); err == nil && identityText(id) != text {
			t.Fatalf("%q is not what is written for %v", text, id)
		}
	})
}
