package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/controlapi"
	"holdfast/internal/keeping"
)

// restoreAskCommand looks something up in a copy of restored data.
func (c *cli) restoreAskCommand() *cobra.Command {
	var q controlapi.NewLookUp
	cmd := c.command("ask <restore> --query STATEMENT", "restore.ask", exactly(1), func(cmd *cobra.Command, args []string) error {
		if q.Query == "-" {
			text, err := io.ReadAll(io.LimitReader(c.in, 1<<20))
			if err != nil {
				return err
			}
			q.Query = string(text)
		}
		if strings.TrimSpace(q.Query) == "" {
			return invalid("cli.invalid.look-up")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		found, err := controlapi.Post[keeping.LookedUp](cmd.Context(), node, "/restores/"+url.PathEscape(args[0])+"/look-ups", q)
		if err != nil {
			return err
		}
		return c.show(found, func() { c.showLookedUp(&found) })
	})
	f := cmd.Flags()
	f.StringVar(&q.Query, "query", "", c.t("cli.flag.look-up-query"))
	f.StringVar(&q.Set, "set", "", c.t("cli.flag.look-up-set"))
	f.IntVar(&q.Rows, "rows", 200, c.t("cli.flag.look-up-rows"))
	return cmd
}

// showLookedUp says first of when the answer is. In a pipe that is beside it, so that
// programs get the columns and rows alone.
func (c *cli) showLookedUp(l *keeping.LookedUp) {
	people := c.out
	if !terminal(c.out) {
		people = c.err
	}
	fmt.Fprintln(people, c.t("cli.restore.ask.as-of", "id", l.Restore, "set", l.Set, "at", clock(l.AsOf), "age", span(l.Age)))
	if !l.Good {
		c.warn("cli.restore.ask.differs", "id", l.Restore)
	}
	t := table{head: l.Columns, none: c.t("cli.restore.ask.none")}
	if !terminal(c.out) {
		t.add(l.Columns...) // a pipe gets no head
	}
	for _, row := range l.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			switch {
			case cell != nil:
				cells[i] = *cell
			case terminal(c.out):
				cells[i] = "NULL"
			default:
				cells[i] = `\N`
			}
		}
		t.add(cells...)
	}
	c.table(t)
	if l.More {
		fmt.Fprintln(people, c.t("cli.restore.ask.more", "n", len(l.Rows)))
	}
}
