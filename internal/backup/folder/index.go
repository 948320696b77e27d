package folder

import (
	"fmt"
	"io"

	"holdfast/internal/backup/records"
)

// index is what is known of the newest piece, in the order of a walk.
type index struct {
	in     *records.Reader
	header header
	next   *indexed // nil at the end
}

func newIndex(r io.Reader) (*index, error) {
	in, err := records.NewReader(r, indexMagic)
	if err != nil {
		return nil, err
	}
	x := &index{in: in}
	kind, payload, err := in.Next()
	if err == nil && kind != recHeader {
		err = records.ErrDamaged
	}
	if err == nil {
		err = decode(payload, &x.header)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", records.ErrDamaged, err)
	}
	return x, x.advance()
}

func (x *index) advance() error {
	kind, payload, err := x.in.Next()
	if err == io.EOF { //nolint:errorlint // as readers have it
		x.next = nil
		return nil
	}
	if err == nil && kind != recIndexed {
		err = records.ErrDamaged
	}
	if err != nil {
		return err
	}
	x.next = &indexed{}
	return decode(payload, x.next)
}
