package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/controlapi"
)

// channelPreviewCommand shows what whoever is told will get.
func (c *cli) channelPreviewCommand() *cobra.Command {
	var channel string
	var set []string
	cmd := c.command("preview <service> <template>", "channel.preview", exactly(2), func(cmd *cobra.Command, args []string) error {
		if channel == "" {
			return invalid("cli.invalid.preview-channel")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		shown, _, err := controlapi.Get[controlapi.ChannelPreview](cmd.Context(), node, "/channels/preview", url.Values{
			"service": {args[0]}, "template": {args[1]}, "channel": {channel}, "language": {string(c.lang)}, "set": set,
		})
		if err != nil {
			return err
		}
		return c.show(shown, func() { c.showPreview(&shown) })
	})
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", c.t("cli.flag.preview-channel"))
	f.StringArrayVar(&set, "set", nil, c.t("cli.flag.preview-set"))
	return cmd
}

func (c *cli) showPreview(p *controlapi.ChannelPreview) {
	if p.Subject != "" {
		c.say("cli.channel.preview.subject", "subject", clean(p.Subject))
	}
	fmt.Fprintln(c.out, cleanLines(p.Text))
	fmt.Fprintln(c.out)
	if p.Parts > 0 {
		c.say("cli.channel.preview.parts", "n", p.Parts, "characters", p.Characters, "encoding", p.Encoding)
	} else {
		c.say("cli.channel.preview.characters", "n", p.Characters, "most", p.Longest)
	}
	if p.Code != "" {
		c.say("cli.channel.preview.code", "code", clean(p.Code))
	}
	switch {
	case p.Via == "":
		c.warn("cli.channel.preview.unbound", "channel", p.Channel)
	case p.Kind == "":
		c.warn("cli.channel.preview.nobody", "via", p.Via)
	default:
		var most []string
		for _, l := range p.PerNumber {
			most = append(most, perTime(l))
		}
		c.say("cli.channel.preview.via", "via", p.Via, "kind", p.Kind, "minute", p.PerMinute, "number", strings.Join(most, ", "))
	}
	if len(p.Open) > 0 {
		c.warn("cli.channel.preview.open", "fields", strings.Join(slices.Sorted(slices.Values(p.Open)), ", "))
	}
}

// perTime is a limit as people write it: 5/h.
func perTime(l controlapi.NumberLimit) string {
	unit, ok := map[int]string{60: "min", 3600: "h", 86400: "d"}[l.Seconds]
	if !ok {
		unit = strconv.Itoa(l.Seconds) + " s"
	}
	return strconv.Itoa(l.Count) + "/" + unit
}

// cleanLines is a text of several lines without what a terminal would obey.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
