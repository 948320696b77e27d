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

// mostSaid bounds what a block says, in bytes.
const mostSaid = 2000

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
	block.Say = continuity.Said{En: b.Say["en"], Zh: b.Say["zh"]}
	if len(block.Say.En) > mostSaid || len(block.Say.Zh) > mostSaid {
		return nil, "", invalid("api.invalid.block-say", "most", mostSaid)
	}
	longest := max(len(block.Addresses), len(block.Paths), len(block.Headers))
	if longest == 0 || longest > mostBlocked {
		return nil, "", invalid("api.invalid.block")
	}
	slices.SortFunc(block.Addresses, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	slices.Sort(block.Paths)
	slices.SortFunc(block.Headers, func(a, b continuity.Field) int { return strings.Compare(a.Name+":"+a.Value, b.Name+":"+b.Value) })
	// Other words for the same are in the place of the first ones.
	text, err := json.Marshal(continuity.Block{Addresses: block.Addresses, Paths: block.Paths, Headers: block.Headers})
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
	for lang, text := range map[string]string{"en": b.Say.En, "zh": b.Say.Zh} {
		if text != "" {
			if out.Say == nil {
				out.Say = map[string]string{}
			}
			out.Say[lang] = text
		}
	}
	return out
}
