package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/internal/catalogue"
)

// speech is the value of --lang. The language itself is known before flags are
// read; this refuses one that Holdfast does not speak.
type speech catalogue.Lang

func (s *speech) String() string { return string(*s) }
func (s *speech) Type() string   { return "string" }

func (s *speech) Set(text string) error {
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(text), "_", "-"), "-")
	if base != string(catalogue.En) && base != string(catalogue.Zh) {
		return errors.New("not a language of Holdfast")
	}
	*s = speech(base)
	return nil
}

// wrongFlag tells a mistake in a flag by the catalogue, not in the words of the
// library that found it.
func wrongFlag(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help"
	var (
		value   *pflag.InvalidValueError
		unknown *pflag.NotExistError
		lacking *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		id := "cli.invalid.flag-value"
		switch {
		case f.Name == "lang":
			id = "cli.invalid.lang"
		case f.Value.Type() == "duration":
			id = "cli.invalid.duration"
		case strings.Contains(f.Value.Type(), "int"):
			id = "cli.invalid.number"
		}
		return invalid(id, "flag", "--"+f.Name, "value", value.GetValue(), "usage", help)
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = name[1:]
		}
		return invalid("cli.invalid.flag-unknown", "flag", name, "usage", help)
	case errors.As(err, &lacking):
		return invalid("cli.invalid.flag-lacking", "flag", "--"+lacking.GetFlag().Name, "usage", help)
	default:
		return invalid("cli.invalid.flag", "cause", err.Error(), "usage", help)
	}
}
