package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"holdfast/internal/api"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
)

// blockSuffix, with a name of what is blocked behind it, makes each block of
// some requests a standing setting of its own.
const blockSuffix = ":block:"

// mostBlocked bounds each list of a block: every request is compared with them.
const mostBlocked = 1000

// someBlock reads a block that a person asks for, and names it by what it
// blocks: the same again is the same.
func someBlock(b *api.Block) (block *continuity.Block, id string, err error) {
	block = &continuity.Block{}
	for _, text := range b.Addresses {
		p, ok := config.ParseNetwork(text)
		if !ok {
			return nil, "", invalid("api.invalid.network", "value", text)
		}
		block.Addresses = append(block.Addresses, p)
	}
	for _, path := range b.Paths {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") || strings.Contains(strings.TrimSuffix(path, "/**"), "*") {
			return nil, "", invalid("api.invalid.path", "value", path)
		}
		block.Paths = append(block.Paths, path)
	}
	for _, text := range b.Headers {
		f, ok := config.ParseHeaderMatch(text)
		if !ok {
			return nil, "", invalid("api.invalid.header", "value", text)
		}
		block.Headers = append(block.Headers, f)
	}
	longest := max(len(block.Addresses), len(block.Paths), len(block.Headers))
	if longest == 0 || longest > mostBlocked {
		return nil, "", invalid("api.invalid.block")
	}
	slices.SortFunc(block.Addresses, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(block.Paths)
	slices.SortFunc(block.Headers, func(a, b continuity.Field) int { return strings.Compare(a.Name+":"+a.Value, b.Name+":"+b.Value) })
	text, err := json.Marshal(block)
	sum := sha256.Sum256(text)
	return block, hex.EncodeToString(sum[:4]), err
}

// toldBlock is a block as people read it.
func toldBlock(b *continuity.Block) *api.Block {
	if b == nil {
		return nil
	}
	out := &api.Block{Paths: b.Paths}
	for _, p := range b.Addresses {
		out.Addresses = append(out.Addresses, p.String())
	}
	for _, f := range b.Headers {
		text := f.Name
		if f.Value != "" {
			text += ": " + f.Value
		}
		out.Headers = append(out.Headers, text)
	}
	return out
}
