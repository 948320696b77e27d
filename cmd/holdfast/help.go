package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// byDefault is what pflag writes behind a flag that has a default value.
var byDefault = regexp.MustCompile(`(?m) \(default ("[^"]*"|\[[^\]]*\]|[\w.]+)\)$`)

// localise gives cobra's own words in the person's language.
func (c *cli) localise(root *cobra.Command) {
	label := func(id string) string { return c.t("cli.label." + id) }
	cobra.AddTemplateFunc("defaults", func(usages string) string {
		return byDefault.ReplaceAllStringFunc(usages, func(found string) string {
			return c.t("cli.label.default", "value", byDefault.FindStringSubmatch(found)[1])
		})
	})
	root.SetUsageTemplate(label("usage") + `
  {{.UseLine}}{{if .HasAvailableSubCommands}} {{if eq .Name "relay"}}[` + label("command") + `]{{else}}` + label("command") + `{{end}}{{end}}{{if .HasExample}}

` + label("examples") + `
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$all := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $all}}{{if and .IsAvailableCommand (eq .GroupID $group.ID)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}

` + label("commands") + `{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

` + label("flags") + `
{{.LocalFlags.FlagUsages | defaults | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

` + label("global-flags") + `
{{.InheritedFlags.FlagUsages | defaults | trimTrailingWhitespaces}}{{end}}
`)
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(&cobra.Command{
		Use: "help", Short: c.t("cli.help.short"), DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || target == nil {
				return unknown(cmd.Root(), strings.Join(args, " "))
			}
			if len(rest) > 0 {
				return unknown(target, rest[0])
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	})
}

// exitHelp shows the table of exit statuses: `holdfast help exit`.
func (c *cli) exitHelp() *cobra.Command {
	cmd := c.group("exit", "exit")
	cmd.Hidden = true
	cmd.SetHelpFunc(func(*cobra.Command, []string) {
		fmt.Fprintln(c.out, c.t("cli.exit.long"))
		meanings := map[int][]string{}
		for code, status := range exitStatuses {
			meanings[status] = append(meanings[status], string(code))
		}
		t := table{head: c.heads("status", "meaning", "codes"), right: []int{0}}
		t.add("0", c.t("cli.exit.ok"), "")
		for _, status := range slices.Sorted(maps.Keys(meanings)) {
			slices.Sort(meanings[status])
			t.add(fmt.Sprint(status), c.t("cli.exit.meaning."+fmt.Sprint(status)), strings.Join(meanings[status], ", "))
		}
		t.add(fmt.Sprint(exitFindings), c.t("cli.exit.findings"), "")
		c.table(t)
	})
	return cmd
}
