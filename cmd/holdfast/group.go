package main

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) groupCommand() *cobra.Command {
	cmd := c.onNode(c.group("group", "group"))
	cmd.AddCommand(c.groupCreateCommand(), c.groupListCommand(), c.groupShowCommand(), c.groupEndCommand())
	return cmd
}

func groupPath(id string) string { return "/groups/" + url.PathEscape(id) }

func (c *cli) groups(list ...controlapi.ShownGroup) {
	t := table{head: c.heads("group-of", "name", "until", "people"), none: c.t("cli.group.list.none")}
	for i := range list {
		g := &list[i]
		until := ""
		if !g.Until.IsZero() {
			until = stampOr(g.Until)
		}
		t.add(g.ID, c.said(g.Name), until, strings.Join(g.People, ", "))
	}
	c.table(t)
	for i := range list {
		if gone := list[i].Gone; len(gone) > 0 {
			c.warn("cli.group.gone", "id", list[i].ID, "people", strings.Join(gone, ", "))
		}
	}
}

func (c *cli) groupCreateCommand() *cobra.Command {
	var people []string
	var name, zh, until, about string
	var lasts time.Duration
	var why *string
	cmd := c.command("create ID --people LIST", "group.create", exactly(1), func(cmd *cobra.Command, args []string) error {
		body := map[string]any{"people": people, "about": about, "reason": *why}
		if name != "" || zh != "" {
			body["name"] = continuity.Text{En: name, Zh: zh}
		}
		end, err := c.endOf(until, lasts)
		if err != nil {
			return err
		}
		if !end.IsZero() {
			body["until"] = end
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		g, _, err := controlapi.Put[controlapi.ShownGroup](cmd.Context(), node, groupPath(args[0]), continuity.VersionNew, body)
		if err != nil {
			return err
		}
		return c.show(g, func() { c.groups(g) })
	})
	f := cmd.Flags()
	f.StringSliceVar(&people, "people", nil, c.t("cli.flag.group-people"))
	f.StringVar(&name, "name", "", c.t("cli.flag.group-name"))
	f.StringVar(&zh, "name-zh", "", c.t("cli.flag.group-name-zh"))
	f.StringVar(&until, "until", "", c.t("cli.flag.group-until"))
	f.DurationVar(&lasts, "for", 0, c.t("cli.flag.group-for"))
	f.StringVar(&about, "about", "", c.t("cli.flag.group-about"))
	why = c.why(cmd)
	return cmd
}

// endOf is a time that is said as such or as how long from now; zero: neither is.
func (c *cli) endOf(until string, lasts time.Duration) (time.Time, error) {
	switch {
	case until != "" && lasts != 0:
		return time.Time{}, invalid("cli.invalid.until-for")
	case lasts < 0:
		return time.Time{}, invalid("cli.invalid.when", "value", lasts.String())
	case until != "":
		return laterMoment(until)
	case lasts > 0:
		return time.Now().Add(lasts).UTC().Truncate(time.Second), nil
	}
	return time.Time{}, nil
}

func (c *cli) groupListCommand() *cobra.Command {
	return c.command("list", "group.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		list, err := controlapi.List[controlapi.ShownGroup](cmd.Context(), node, "/groups", nil, 0)
		if err != nil {
			return err
		}
		return c.show(list, func() { c.groups(list...) })
	})
}

func (c *cli) groupShowCommand() *cobra.Command {
	return c.command("show ID", "group.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		g, _, err := controlapi.Get[controlapi.ShownGroup](cmd.Context(), node, groupPath(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(g, func() { c.groups(g) })
	})
}

func (c *cli) groupEndCommand() *cobra.Command {
	var why *string
	cmd := c.command("end ID", "group.end", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		return controlapi.Remove(cmd.Context(), node, groupPath(args[0]), continuity.VersionAny, *why)
	})
	why = c.why(cmd)
	return cmd
}
