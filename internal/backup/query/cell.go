package query

import (
	"database/sql/driver"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"
)

type sqlConnector = driver.Connector

// cell is a value in one of SQLite's types; none of them is NULL.
type cell struct {
	Int  *int64  `json:"i,omitempty"`
	Real *uint64 `json:"f,omitempty"` // its bits: not all numbers are JSON's
	Text *[]byte `json:"s,omitempty"` // bytes, as not all text of databases is UTF-8
	Blob *[]byte `json:"b,omitempty"`
}

func text(s string) cell { b := []byte(s); return cell{Text: &b} }

// keep makes a cell of what a database's driver gives.
func keep(v any, binary bool) cell {
	switch v := v.(type) {
	case nil:
		return cell{}
	case int64:
		return cell{Int: &v}
	case int32:
		n := int64(v)
		return cell{Int: &n}
	case uint64:
		if v <= math.MaxInt64 {
			n := int64(v)
			return cell{Int: &n}
		}
		return text(strconv.FormatUint(v, 10))
	case float64:
		if math.IsNaN(v) {
			return text("NaN") // SQLite has none
		}
		bits := math.Float64bits(v)
		return cell{Real: &bits}
	case float32:
		return keep(float64(v), binary)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		return cell{Int: &n}
	case string:
		return text(v)
	case []byte:
		b := append([]byte{}, v...)
		if binary {
			return cell{Blob: &b}
		}
		return cell{Text: &b}
	case time.Time:
		return text(v.Format(time.RFC3339Nano))
	}
	return text(fmt.Sprint(v))
}

// value is what SQLite is given, and gives back.
func (c cell) value() any {
	switch {
	case c.Int != nil:
		return *c.Int
	case c.Real != nil:
		return math.Float64frombits(*c.Real)
	case c.Text != nil:
		return string(*c.Text)
	case c.Blob != nil:
		return *c.Blob
	}
	return nil
}

func sqliteDSN(path, how string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + how
}
