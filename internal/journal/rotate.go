package journal

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"time"
)

// Exchanging the master key. The ring holds the new key and the old one while
// this goes on, and keyring's file does too, so that every state in between can
// be read:
//
//  1. SECRETS is written: the secrets that were derived from the first master
//     key, wrapped by the new one.
//  2. KEYS is written: the headers of all segments with their data keys wrapped
//     by the new key.
//  3. Each header is overwritten, and synced.
//  4. KEYS is removed.
//
// Where a crash leaves KEYS behind, opening goes on with step 3. A header that
// was torn meanwhile stands whole in KEYS.
const (
	secretsName = "SECRETS"
	keysName    = "KEYS"
	keysVersion = 1
	keysHead    = 32
)

var (
	keysMagic  = []byte("HFKEY\r\n\x1a")
	errKeys    = errors.New("not a whole table of keys")
	errSecrets = errors.New("not a whole table of secrets")
)

// purposes are all secrets that are derived from the master key and must stay
// the same for as long as the journal lives.
var purposes = []string{"identity", "admission"}

const secretBytes = 32

// Secret returns n bytes, at most 32, that only this journal has for a purpose.
// They outlive the master key.
func (f *Files) Secret(purpose string, n int) ([]byte, error) {
	kept, err := f.readSecrets()
	if err != nil {
		return nil, err
	}
	if wrapped, ok := kept[purpose]; ok {
		secret, err := f.ring.Unwrap(wrapped, f.secretContext(purpose))
		if err != nil {
			return nil, fmt.Errorf("%w: secrets: %w", ErrNoKey, err)
		}
		return secret[:n], nil
	}
	// Of a ring with several keys the oldest is the one they came from.
	each, err := f.ring.DeriveEach("holdfast journal secret: "+purpose, f.id[:], n)
	if err != nil {
		return nil, err
	}
	return each[len(each)-1], nil
}

func (f *Files) secretContext(purpose string) []byte {
	return append([]byte("holdfast secret 1 "+purpose+" "), f.id[:]...)
}

// Rewrap wraps everything that the master key wraps by the ring's newest one.
// Checkpoints are not among it: new ones replace them.
func (f *Files) Rewrap() error {
	segments := f.still()
	defer f.supply.making.Unlock()
	if f.latch.Load() != nil {
		return ErrLatched
	}
	if f.supply.stopping.Load() {
		return ErrClosed
	}
	if err := f.writeSecrets(); err != nil {
		return fmt.Errorf("journal: secrets: %w", err)
	}
	headers := make([]header, len(segments))
	for i, s := range segments {
		h := s.header
		if now := s.rewrapped.Load(); now != nil {
			h.wrapped = *now
		}
		key, err := f.ring.Unwrap(h.wrapped, h.context())
		if err == nil {
			h.wrapped, err = f.ring.Wrap(key, h.context())
		}
		if err != nil {
			return fmt.Errorf("journal: segment %08x: %w", h.seq, err)
		}
		headers[i] = h
	}
	if err := f.replaceFile(keysName, marshalKeys(f.id, headers)); err != nil {
		return fmt.Errorf("journal: keys: %w", err)
	}
	for i, s := range segments {
		if err := writeHeader(s.file, headers[i]); err != nil {
			return fmt.Errorf("journal: segment %08x: %w", s.seq, err)
		}
		s.rewrapped.Store(&headers[i].wrapped)
	}
	return f.removeKeys()
}

// still returns every segment, with supply.making held: nothing is prepared or
// destroyed until it is let go. A segment is never on its way from the supply to
// the table then; whoever writes comes first, so that no append waits for files
// that are being filled.
func (f *Files) still() []*segment {
	for {
		f.supply.making.Lock()
		if f.mu.TryLock() {
			break
		}
		f.supply.making.Unlock()
		time.Sleep(time.Millisecond)
	}
	defer f.mu.Unlock()
	segments := append([]*segment(nil), f.table.Load().segments...)
	if s := f.supply.ahead(); s != nil {
		segments = append(segments, s)
	}
	return segments
}

func writeHeader(file File, h header) error {
	if _, err := file.WriteAt(h.marshal(), 0); err != nil {
		return err
	}
	return file.Sync()
}

func (f *Files) removeKeys() error {
	if err := f.fs.Remove(keysName); err != nil {
		return err
	}
	return f.syncDir()
}

// replaceFile makes a file durable under its name, in the place of another.
func (f *Files) replaceFile(name string, text []byte) error {
	tmp := name + tmpSuffix
	if err := f.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.fs.Create(tmp)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(text, 0)
	if err == nil {
		err = file.SyncAll()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.fs.Rename(tmp, name); err != nil {
		return err
	}
	return f.syncDir()
}

func marshalKeys(id journalID, headers []header) []byte {
	b := make([]byte, keysHead, keysHead+len(headers)*headerBytes+4)
	copy(b, keysMagic)
	binary.LittleEndian.PutUint32(b[8:], keysVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(headers))) // #nosec G115 -- numbers of segments have 32 bits
	copy(b[16:], id[:])
	for _, h := range headers {
		b = append(b, h.marshal()...)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseKeys(b []byte) (id journalID, headers []header, err error) {
	if len(b) < keysHead+4 || !bytes.Equal(b[:8], keysMagic) ||
		binary.LittleEndian.Uint32(b[len(b)-4:]) != crc32.Checksum(b[:len(b)-4], castagnoli) {
		return id, nil, errKeys
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != keysVersion {
		return id, nil, fmt.Errorf("keys: %w: %d", errVersion, v)
	}
	copy(id[:], b[16:])
	rest := b[keysHead : len(b)-4]
	if len(rest) != int(binary.LittleEndian.Uint32(b[12:]))*headerBytes {
		return id, nil, errKeys
	}
	for ; len(rest) > 0; rest = rest[headerBytes:] {
		h, err := parseHeader(rest[:headerBytes])
		if err != nil {
			return id, nil, errKeys
		}
		headers = append(headers, h)
	}
	return id, headers, nil
}

// readFile returns a small file's content; nil where there is none.
func readFile(dir FS, name string) ([]byte, error) {
	file, err := dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := file.ReadAt(b, 0); int64(n) < size {
		return nil, damaged(name, 0, err)
	}
	return b, nil
}

// readKeys returns the headers of an exchange that a crash interrupted.
func readKeys(dir FS) (id journalID, headers []header, there bool, err error) {
	b, err := readFile(dir, keysName)
	if err != nil || b == nil {
		return id, nil, false, err
	}
	if id, headers, err = parseKeys(b); err != nil {
		return id, nil, false, damaged(keysName, 0, err)
	}
	return id, headers, true, nil
}

// finishKeys finishes an exchange that a crash interrupted, before anything
// else is read: nothing was retired since.
func (f *Files) finishKeys() error {
	id, headers, there, err := readKeys(f.fs)
	if err != nil || !there {
		return err
	}
	if own, known, err := readIdentity(f.fs); err != nil || known && own != id {
		return errors.Join(err, damaged(keysName, 0, errForeign))
	}
	for _, h := range headers {
		file, err := f.fs.OpenWrite(segmentName(h.seq))
		if errors.Is(err, fs.ErrNotExist) {
			continue // its name was never durable; then nothing in it was either
		}
		if err != nil {
			return err
		}
		err = writeHeader(file, h)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	f.log.Info("journal finished an exchange of its master key", "segments", len(headers))
	return f.removeKeys()
}

// writeSecrets keeps what was derived from the first master key.
func (f *Files) writeSecrets() error {
	var text strings.Builder
	for _, purpose := range purposes {
		secret, err := f.Secret(purpose, secretBytes)
		if err != nil {
			return err
		}
		wrapped, err := f.ring.Wrap(secret, f.secretContext(purpose))
		if err != nil {
			return err
		}
		text.WriteString(purpose + " " + base64.StdEncoding.EncodeToString(wrapped) + "\n")
	}
	return f.replaceFile(secretsName, []byte(text.String()+fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(text.String()), castagnoli))))
}

func (f *Files) readSecrets() (map[string][]byte, error) {
	b, err := readFile(f.fs, secretsName)
	if err != nil || b == nil {
		return nil, err
	}
	text, sum, ok := strings.Cut(string(b), "crc32c ")
	if !ok || sum != fmt.Sprintf("%08x\n", crc32.Checksum([]byte(text), castagnoli)) {
		return nil, damaged(secretsName, 0, errSecrets)
	}
	out := make(map[string][]byte)
	for line := range strings.Lines(text) {
		purpose, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		if out[purpose], err = base64.StdEncoding.DecodeString(code); err != nil {
			return nil, damaged(secretsName, 0, errSecrets)
		}
	}
	return out, nil
}
