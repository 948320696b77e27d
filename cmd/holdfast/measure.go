package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/controlapi"
)

func (c *cli) measureCommand() *cobra.Command {
	cmd := c.onNode(c.group("measure", "measure"))
	cmd.AddCommand(c.measureListCommand(), c.measureQueryCommand(), c.measureShowCommand())
	return cmd
}

func (c *cli) measureListCommand() *cobra.Command {
	service := ""
	cmd := c.command("list", "measure.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := namedMeasures(cmd, node, service)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("service", "measure", "value", "query"), right: []int{2}, none: c.t("cli.measure.list.none")}
			for _, m := range all {
				t.add(m.Service, clean(m.Name), figure(m.Value), clean(m.Query))
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.measure-service"))
	return cmd
}

func namedMeasures(cmd *cobra.Command, node *controlapi.Client, service string) ([]controlapi.NamedMeasure, error) {
	return controlapi.List[controlapi.NamedMeasure](cmd.Context(), node, "/measures", url.Values{"service": {service}}, 0)
}

func figure(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}

// stretch is a time or a range of times, as flags say it.
type stretch struct{ at, from, to, step string }

func (s *stretch) flags(c *cli, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.from, "from", s.from, c.t("cli.flag.measure-from"))
	f.StringVar(&s.to, "to", "", c.t("cli.flag.measure-to"))
	f.StringVar(&s.step, "step", "1m", c.t("cli.flag.measure-step"))
}

func (s *stretch) query(expr string, now time.Time) (url.Values, error) {
	q := url.Values{"query": {expr}}
	for name, text := range map[string]string{"at": s.at, "from": s.from, "to": s.to} {
		if text == "" {
			continue
		}
		at, err := momentOrAgo(text, now)
		if err != nil {
			return nil, invalid("cli.invalid.when", "value", text)
		}
		q.Set(name, at.UTC().Format(time.RFC3339))
	}
	step, err := time.ParseDuration(s.step)
	if err != nil || step < time.Second {
		return nil, invalid("cli.invalid.step", "value", s.step)
	}
	q.Set("step", strconv.Itoa(int(step.Seconds())))
	return q, nil
}

func (c *cli) measureQueryCommand() *cobra.Command {
	s := &stretch{}
	cmd := c.command("query <promql>", "measure.query", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		return c.askMeasures(cmd, node, s, args[0])
	})
	s.flags(c, cmd)
	cmd.Flags().StringVar(&s.at, "at", "", c.t("cli.flag.measure-at"))
	return cmd
}

func (c *cli) measureShowCommand() *cobra.Command {
	s := &stretch{from: "1h"}
	cmd := c.command("show <service> <measure>", "measure.show", exactly(2), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := namedMeasures(cmd, node, args[0])
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(m controlapi.NamedMeasure) bool { return m.Name == args[1] })
		if i < 0 {
			return invalid("cli.invalid.measure", "service", args[0], "name", args[1])
		}
		return c.askMeasures(cmd, node, s, all[i].Query)
	})
	s.flags(c, cmd)
	return cmd
}

func (c *cli) askMeasures(cmd *cobra.Command, node *controlapi.Client, s *stretch, expr string) error {
	query, err := s.query(expr, time.Now())
	if err != nil {
		return err
	}
	page, _, err := controlapi.Get[controlapi.Page[controlapi.MeasuredRow]](cmd.Context(), node, "/measures/query", query)
	if err != nil {
		return err
	}
	return c.show(page.Items, func() {
		t := table{head: c.heads("labels", "time", "value"), right: []int{2}, none: c.t("cli.measure.none")}
		for _, row := range page.Items {
			for _, p := range row.Points {
				t.add(clean(labelsText(row.Labels)), clock(p.At), figure(p.Value))
			}
		}
		c.table(t)
	})
}

// labelsText writes labels as PromQL does.
func labelsText(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" {
			parts = append(parts, name+"="+strconv.Quote(labels[name]))
		}
	}
	if len(parts) == 0 {
		return labels["__name__"]
	}
	return fmt.Sprintf("%s{%s}", labels["__name__"], strings.Join(parts, ","))
}
