package ledger

import (
	"net/netip"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast/internal/continuity"
)

// The fields of a switch that refuses some requests.
const (
	blockAll     protowire.Number = 10 // it is one, whatever the lists hold
	blockAddress protowire.Number = 11
	blockPath    protowire.Number = 12
	blockHeader  protowire.Number = 13
	blockSay     protowire.Number = 14 // language and text
)

func appendBlock(b []byte, block *continuity.Block) []byte {
	if block == nil {
		return b
	}
	b = appendBool(b, blockAll, true)
	for _, p := range block.Addresses {
		b = appendString(b, blockAddress, p.String())
	}
	for _, p := range block.Paths {
		b = appendString(b, blockPath, p)
	}
	b = appendFields(b, blockHeader, block.Headers)
	var say []continuity.Field
	if block.Say.En != "" {
		say = append(say, continuity.Field{Name: "en", Value: block.Say.En})
	}
	if block.Say.Zh != "" {
		say = append(say, continuity.Field{Name: "zh", Value: block.Say.Zh})
	}
	return appendFields(b, blockSay, say)
}

// block reads the current field, if it is one of a block.
func (d *fields) block(s *continuity.Switch) {
	if d.num < blockAll || d.num > blockSay {
		return
	}
	if s.Block == nil {
		s.Block = &continuity.Block{}
	}
	switch d.num {
	case blockAddress:
		p, err := netip.ParsePrefix(string(d.bytes))
		if err != nil {
			d.err = errPayload
			return
		}
		s.Block.Addresses = append(s.Block.Addresses, p)
	case blockPath:
		s.Block.Paths = append(s.Block.Paths, string(d.bytes))
	case blockHeader:
		s.Block.Headers = append(s.Block.Headers, d.field())
	case blockSay:
		switch f := d.field(); f.Name {
		case "en":
			s.Block.Say.En = f.Value
		case "zh":
			s.Block.Say.Zh = f.Value
		}
	}
}
