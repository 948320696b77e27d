package evidence

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// part is one file of the archive.
type part struct {
	name    string
	content []byte
}

// The numbers of the ZIP format that are used: files that are stored as they are,
// named in UTF-8, of no time.
const (
	localHeader   = 0x04034b50
	centralHeader = 0x02014b50
	endHeader     = 0x06054b50
	zipVersion    = 20
	utf8Names     = 1 << 11
	firstDay      = 1<<5 | 1 // 1 January 1980, the earliest day there is
)

// archive writes parts in the one form that they have.
func archive(parts []part) []byte {
	var out, central bytes.Buffer
	for _, p := range parts {
		at := out.Len()
		entry := func(to *bytes.Buffer) {
			put16(to, zipVersion, utf8Names, 0, 0, firstDay)
			put32(to, crc32.ChecksumIEEE(p.content), uint32(len(p.content)), uint32(len(p.content))) // #nosec G115 -- bounded
			put16(to, uint16(len(p.name)), 0)                                                        // #nosec G115 -- ours
		}
		put32(&out, localHeader)
		entry(&out)
		out.WriteString(p.name)
		out.Write(p.content)
		put32(&central, centralHeader)
		put16(&central, zipVersion)
		entry(&central)
		put16(&central, 0, 0, 0)
		put32(&central, 0, uint32(at)) // #nosec G115 -- bounded
		central.WriteString(p.name)
	}
	begins := out.Len()
	out.Write(central.Bytes())
	put32(&out, endHeader)
	put16(&out, 0, 0, uint16(len(parts)), uint16(len(parts))) // #nosec G115 -- a handful
	put32(&out, uint32(central.Len()), uint32(begins))        // #nosec G115 -- bounded
	put16(&out, 0)
	return out.Bytes()
}

func put16(to *bytes.Buffer, all ...uint16) {
	for _, n := range all {
		to.Write(binary.LittleEndian.AppendUint16(nil, n))
	}
}

func put32(to *bytes.Buffer, all ...uint32) {
	for _, n := range all {
		to.Write(binary.LittleEndian.AppendUint32(nil, n))
	}
}

var errForm = errors.New("evidence: not the form of such a file")

// parts reads an archive that has the one form of its contents.
func parts(file []byte) ([]part, error) {
	r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, errors.Join(errForm, err)
	}
	var all []part
	for _, f := range r.File {
		if f.Method != zip.Store || f.UncompressedSize64 > mostBytes || len(all) > 10 {
			return nil, errForm
		}
		in, err := f.Open()
		if err != nil {
			return nil, errors.Join(errForm, err)
		}
		content, err := io.ReadAll(io.LimitReader(in, mostBytes+1))
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, errors.Join(errForm, err)
		}
		all = append(all, part{f.Name, content})
	}
	if !bytes.Equal(archive(all), file) {
		return nil, errForm
	}
	return all, nil
}
