package records_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/backup/records"
)

const magic = "HFTEST 1"

func write(t rapid.TB, payloads [][]byte) []byte {
	var out bytes.Buffer
	w, err := records.NewWriter(&out, magic)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range payloads {
		if err := w.Put(byte(1+i%200), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(stream []byte) (payloads [][]byte, err error) {
	r, err := records.NewReader(bytes.NewReader(stream), magic)
	if err != nil {
		return nil, err
	}
	for {
		_, p, err := r.Next()
		if err != nil {
			return payloads, err
		}
		payloads = append(payloads, bytes.Clone(p))
	}
}

// Whatever is done to a stream, it is not read to its end.
func TestAStreamIsWholeOrDamaged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payloads := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 20).Draw(t, "payloads")
		stream := write(t, payloads)
		got, err := read(stream)
		if !errors.Is(err, io.EOF) || errors.Is(err, records.ErrDamaged) || len(got) != len(payloads) {
			t.Fatalf("read %d of %d records: %v", len(got), len(payloads), err)
		}
		for i := range got {
			if !bytes.Equal(got[i], payloads[i]) {
				t.Fatalf("record %d differs", i)
			}
		}
		at := rapid.IntRange(0, len(stream)-1).Draw(t, "at")
		var bad []byte
		switch rapid.SampledFrom([]string{"flip", "cut", "longer", "double"}).Draw(t, "fault") {
		case "flip":
			bad = bytes.Clone(stream)
			bad[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "cut":
			bad = stream[:at]
		case "longer":
			bad = append(bytes.Clone(stream), 0)
		case "double":
			bad = append(bytes.Clone(stream), stream...)
		}
		if _, err := read(bad); !errors.Is(err, records.ErrDamaged) {
			t.Fatalf("a damaged stream was read: %v", err)
		}
	})
}

var errGone = errors.New("gone")

// What the source of a stream says is not hidden, nor is the stream blamed for it: a
// connection that ended says that of itself, and has an end for its cause.
func TestASourcesErrorIsTold(t *testing.T) {
	stream := write(t, [][]byte{[]byte("one"), []byte("two")})
	for _, gone := range []error{errGone, fmt.Errorf("%w: %w", errGone, io.EOF), fmt.Errorf("%w: %w", errGone, io.ErrUnexpectedEOF)} {
		for at := range len(stream) + 1 {
			r, err := records.NewReader(io.MultiReader(bytes.NewReader(stream[:at]), failing{gone}), magic)
			for err == nil {
				_, _, err = r.Next()
			}
			if !errors.Is(err, errGone) || errors.Is(err, records.ErrDamaged) {
				t.Errorf("after %d bytes: %v, want what the source said: %v", at, err, gone)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
