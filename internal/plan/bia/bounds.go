package bia

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"holdfast/internal/catalogue"
)

// Bounds of what is read. A sheet that people filled in stays far below them.
const (
	maxFile     = 16 << 20 // bytes, packed
	maxUnpacked = 24 << 20 // bytes of all parts together
	maxParts    = 1000
	maxRows     = 5000 // of a sheet, empty ones included
	maxColumns  = 256
	maxCells    = 100_000 // of a file
)

// ole begins the files of old Excel, and of new ones with a password.
var ole = []byte{0xd0, 0xcf, 0x11, 0xe0}

func problem(id string, pairs ...any) *Problem {
	p := &Problem{ID: id, Args: catalogue.Args{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		p.Args[pairs[i].(string)] = pairs[i+1]
	}
	return p
}

// lookThrough finds out whether a file can be opened without harm. The reader
// of spreadsheets makes room for every row and column up to the last one, so a
// small file that names the last row of all would fill the memory.
func lookThrough(file []byte) *Problem {
	switch {
	case len(file) > maxFile:
		return problem("bia.too-big", "limit", maxFile>>20)
	case bytes.HasPrefix(file, ole):
		return problem("bia.old-or-locked")
	}
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return problem("bia.no-xlsx")
	}
	if len(archive.File) > maxParts {
		return problem("bia.too-big", "limit", maxFile>>20)
	}
	left, cells := int64(maxUnpacked), 0
	for _, part := range archive.File {
		r, err := part.Open()
		if err != nil {
			return problem("bia.no-xlsx")
		}
		counted := &io.LimitedReader{R: r, N: left + 1}
		var found *Problem
		if strings.HasSuffix(strings.ToLower(part.Name), ".xml") {
			found = countCells(counted, &cells)
		}
		_, err = io.Copy(io.Discard, counted)
		_ = r.Close()
		left = counted.N - 1
		switch {
		case left < 0:
			return problem("bia.unpacks-too-big", "limit", maxUnpacked>>20)
		case err != nil:
			return problem("bia.no-xlsx")
		case found != nil:
			return found
		}
	}
	return nil
}

// countCells holds the rows and cells of a part to their bounds.
func countCells(r io.Reader, cells *int) *Problem {
	rows := 0
	d := xml.NewDecoder(r)
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return problem("bia.no-xlsx")
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "row":
			rows++
			if n, err := strconv.Atoi(attribute(start, "r")); err == nil {
				rows = max(rows, n)
			}
			if rows > maxRows {
				return problem("bia.too-many-rows", "limit", maxRows)
			}
		case "c":
			*cells++
			if *cells > maxCells {
				return problem("bia.too-many-cells", "limit", maxCells)
			}
			if wide(attribute(start, "r")) {
				return problem("bia.too-many-columns", "limit", maxColumns)
			}
		case "mergeCell": // it may name cells that are nowhere else
			for _, corner := range strings.Split(attribute(start, "ref"), ":") {
				at := strings.TrimLeft(strings.ReplaceAll(corner, "$", ""), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
				if n, err := strconv.Atoi(at); err == nil && n > maxRows {
					return problem("bia.too-many-rows", "limit", maxRows)
				}
				if wide(corner) {
					return problem("bia.too-many-columns", "limit", maxColumns)
				}
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// wide reports whether a cell's name lies right of the last column read.
func wide(cell string) bool {
	column := 0
	for _, r := range strings.ToUpper(strings.ReplaceAll(cell, "$", "")) {
		if r < 'A' || r > 'Z' {
			break
		}
		column = column*26 + int(r-'A') + 1
		if column > maxColumns {
			return true
		}
	}
	return false
}
