package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/spf13/cobra"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/jsonpointer"
)

const maxEdit = 16 << 20

// editCommand replaces what is known as not processed (rule 9.3).
func (c *cli) editCommand() *cobra.Command {
	cmd := c.command("edit RECEIPT [--body FILE | --set /POINTER=VALUE]", "dead-edit", exactly(1), nil)
	d := c.decisionFlags(cmd)
	file := cmd.Flags().String("body", "", c.t("cli.flag.body"))
	set := cmd.Flags().StringArray("set", nil, c.t("cli.flag.set"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *file != "" && len(*set) > 0 {
			return invalid("cli.invalid.edit-both")
		}
		return c.each(cmd, args, d, func(client *api.Client, r api.Record) error {
			old, _, err := client.Body(cmd.Context(), r.Receipt, true)
			if err != nil {
				return err
			}
			edited, err := c.edited(old, *file, *set)
			if err != nil {
				return err
			}
			if bytes.Equal(old, edited) {
				return invalid("api.invalid.edit-same")
			}
			c.difference(old, edited)
			if err := c.confirm(d.yes, "cli.confirm.edit"); err != nil {
				return err
			}
			return c.act(cmd, client, r, api.ActRequest{Verb: continuity.VerbEdit, Version: d.seen(r), Why: d.why, Body: editBody(edited)})
		})
	}
	return cmd
}

// edited makes the new body: from a file, by setting fields, or in the
// person's editor.
func (c *cli) edited(old []byte, file string, set []string) ([]byte, error) {
	switch {
	case file == "-":
		return io.ReadAll(io.LimitReader(c.in, maxEdit))
	case file != "":
		b, err := os.ReadFile(file) // #nosec G304 -- the operator names the file
		if err != nil {
			return nil, invalid("cli.invalid.file", "cause", err.Error())
		}
		return b, nil
	case len(set) > 0:
		return setFields(old, set)
	case terminal(c.in):
		return c.inEditor(old)
	default:
		return nil, invalid("cli.invalid.edit-none")
	}
}

// setFields replaces fields that exist. A field that was a string stays one,
// so that numbers of orders and phones keep their form.
func setFields(old []byte, set []string) ([]byte, error) {
	type op struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	before := flatten(old)
	if before == nil {
		return nil, invalid("cli.invalid.edit-json")
	}
	var ops []op
	for _, s := range set {
		pointer, text, found := strings.Cut(s, "=")
		if !found || !strings.HasPrefix(pointer, "/") {
			return nil, invalid("cli.invalid.set", "text", s)
		}
		was, exists := lookup(before, pointer)
		if !exists {
			return nil, invalid("cli.invalid.pointer", "pointer", pointer)
		}
		value := json.RawMessage(text)
		if strings.HasPrefix(was, `"`) && !strings.HasPrefix(text, `"`) {
			value = quote(text)
		}
		if !json.Valid(value) {
			return nil, invalid("cli.invalid.value", "pointer", pointer, "text", text)
		}
		ops = append(ops, op{"replace", pointer, value})
	}
	b, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(b)
	if err != nil {
		return nil, err
	}
	options := jsonpatch.NewApplyOptions()
	options.EscapeHTML = false
	edited, err := patch.ApplyWithOptions(old, options)
	if err != nil {
		return nil, invalid("cli.invalid.pointer", "pointer", err.Error())
	}
	return edited, nil
}

func quote(text string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always encodes
	return bytes.TrimSpace(b.Bytes())
}

// leaf is one field of a JSON body, in the body's order.
type leaf struct{ pointer, text string }

// flatten lists the leaves of a JSON body; nil if it is none. Numbers keep
// their source text.
func flatten(body []byte) []leaf {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var out []leaf
	if !walk(dec, "", &out) {
		return nil
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil
	}
	return out
}

func walk(dec *json.Decoder, pointer string, out *[]leaf) bool {
	tok, err := dec.Token()
	if err != nil {
		return false
	}
	delim, nested := tok.(json.Delim)
	if !nested {
		b := quoteAny(tok)
		*out = append(*out, leaf{pointer, b})
		return true
	}
	*out = append(*out, leaf{pointer, delim.String()})
	for i := 0; dec.More(); i++ {
		name := fmt.Sprint(i)
		if delim == '{' {
			tok, err := dec.Token()
			if err != nil {
				return false
			}
			name = jsonpointer.Escape(tok.(string))
		}
		if !walk(dec, pointer+"/"+name, out) {
			return false
		}
	}
	_, err = dec.Token()
	return err == nil
}

func quoteAny(tok json.Token) string {
	switch v := tok.(type) {
	case string:
		return string(quote(v))
	case json.Number:
		return v.String()
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

func lookup(leaves []leaf, pointer string) (string, bool) {
	i := slices.IndexFunc(leaves, func(l leaf) bool { return l.pointer == pointer })
	if i < 0 {
		return "", false
	}
	return leaves[i].text, true
}

// difference shows old and new: field by field where both are JSON, else whole.
func (c *cli) difference(old, edited []byte) {
	before, after := flatten(old), flatten(edited)
	if before == nil || after == nil {
		fmt.Fprintf(c.err, "- %s\n+ %s\n", clean(string(old)), clean(string(edited)))
		return
	}
	for _, l := range before {
		now, exists := lookup(after, l.pointer)
		if now == l.text && exists {
			continue
		}
		fmt.Fprintf(c.err, "- %s: %s\n", clean(l.pointer), clean(l.text))
		if exists {
			fmt.Fprintf(c.err, "+ %s: %s\n", clean(l.pointer), clean(now))
		}
	}
	for _, l := range after {
		if _, existed := lookup(before, l.pointer); !existed {
			fmt.Fprintf(c.err, "+ %s: %s\n", clean(l.pointer), clean(l.text))
		}
	}
}

// inEditor opens $VISUAL or $EDITOR on a private copy.
func (c *cli) inEditor(old []byte) ([]byte, error) {
	editor := c.env("VISUAL")
	if editor == "" {
		editor = c.env("EDITOR")
	}
	if editor == "" {
		return nil, invalid("cli.invalid.edit-none")
	}
	f, err := os.CreateTemp("", "holdfast-*.json") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(old)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	words := append(strings.Fields(editor), f.Name())
	cmd := exec.Command(words[0], words[1:]...) // #nosec G204 -- the person's own editor
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, invalid("cli.invalid.file", "cause", err.Error())
	}
	return os.ReadFile(f.Name()) // #nosec G304 -- just made
}
