package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) checksCommand() *cobra.Command {
	cmd := c.onNode(c.group("check", "check"))
	cmd.AddCommand(c.checkListCommand(), c.checkShowCommand(), c.checkRunCommand(), c.checkHistoryCommand(), c.checkServicesCommand(), c.checkFlowCommand(), c.checkLogCommand())
	return cmd
}

func (c *cli) checkListCommand() *cobra.Command {
	var service, state string
	cmd := c.command("list", "check.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		checks, err := controlapi.List[controlapi.Check](cmd.Context(), node, "/checks", url.Values{"service": {service}, "state": {state}}, 0)
		if err = meantService(cmd.Context(), node, service, len(checks), err); err != nil {
			return err
		}
		return c.show(checks, func() {
			t := table{head: c.heads("check", "state", "since", "reason"), none: c.t("cli.check.list.none")}
			for _, k := range checks {
				t.add(k.ID, c.t("cli.check.state."+k.State), clock(k.Since), said(k.Reason))
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.event-service"))
	cmd.Flags().StringVar(&state, "state", "", c.t("cli.flag.check-state"))
	return cmd
}

func said(r *controlapi.Reason) string {
	if r == nil {
		return ""
	}
	return r.Text
}

// checkPath is where the API has a check.
func checkPath(area, id string) (string, error) {
	service, check, ok := strings.Cut(id, "/")
	if !ok || service == "" || check == "" || strings.Contains(check, "/") {
		return "", invalid("cli.invalid.check", "value", id)
	}
	return "/" + area + "/" + url.PathEscape(service) + "/" + url.PathEscape(check), nil
}

func (c *cli) checkShowCommand() *cobra.Command {
	return c.command("show <service>/<check>", "check.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		path, err := checkPath("checks", args[0])
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		k, _, err := controlapi.Get[controlapi.Check](cmd.Context(), node, path, nil)
		if err != nil {
			return err
		}
		return c.show(k, func() {
			t := table{head: c.heads("check", "state", "since", "reason")}
			t.add(k.ID, c.t("cli.check.state."+k.State), clock(k.Since), said(k.Reason))
			c.table(t)
			if a := k.About; a != nil {
				c.say("cli.check.about", "kind", a.Kind, "every", seconds(a.Every), "timeout", seconds(a.Timeout), "down", a.Down, "of", a.Of, "up", a.Up)
				if a.Skipped > 0 {
					c.say("cli.check.skipped", "n", a.Skipped)
				}
			}
			nodes := table{head: c.heads("node", "state", "at", "finding", "took", "reason")}
			for _, n := range k.Nodes {
				at := ""
				if n.Looked != nil {
					at = clock(*n.Looked)
				}
				state := c.t("cli.check.state." + n.State)
				if n.Isolated {
					state = c.t("cli.check.isolated")
				}
				found := ""
				if n.Found != "" {
					found = c.t("cli.check.state." + n.Found)
				}
				nodes.add(n.Node, state, at, found, seconds(n.Seconds), said(n.Reason))
			}
			c.table(nodes)
		})
	})
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func (c *cli) checkRunCommand() *cobra.Command {
	return c.command("run <service>/<check>", "check.run", exactly(1), func(cmd *cobra.Command, args []string) error {
		path, err := checkPath("checks", args[0])
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		k, err := controlapi.Post[controlapi.CheckLook](cmd.Context(), node, path+"/look", nil)
		if err != nil {
			return err
		}
		err = c.show(k, func() {
			for _, p := range k.Phases {
				fmt.Fprintf(c.out, "%s\t%s\n", seconds(p.Seconds), c.t("cli.check.phase."+p.Name))
			}
			fmt.Fprintf(c.out, "%s\t%s", seconds(k.Seconds), c.t("cli.check.state."+k.State))
			if k.Reason != nil {
				fmt.Fprintf(c.out, "\t%s", k.Reason.Text)
			}
			fmt.Fprintln(c.out)
			for _, name := range sortedKeys(k.Values) {
				fmt.Fprintf(c.out, "%s\t%g\n", name, k.Values[name])
			}
			if k.Expires != nil {
				c.say("cli.check.expires", "at", clock(*k.Expires))
			}
		})
		if err == nil && k.State != string(continuity.CheckUp) {
			return findings{}
		}
		return err
	})
}

func sortedKeys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *cli) checkHistoryCommand() *cobra.Command {
	a := &eventFlags{}
	cmd := c.command("history <service>/<check>", "check.history", exactly(1), func(cmd *cobra.Command, args []string) error {
		path, err := checkPath("checks", args[0])
		if err != nil {
			return err
		}
		a.kind, a.id = continuity.ObjectCheck, args[0]
		query, err := a.query(time.Now())
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		events, err := controlapi.List[controlapi.Event](cmd.Context(), node, "/events", query, a.most)
		if err != nil {
			return err
		}
		if len(events) == 0 { // there may be no such check
			if _, _, err := controlapi.Get[controlapi.Check](cmd.Context(), node, path, nil); err != nil {
				return err
			}
		}
		return c.show(events, func() {
			if len(events) == 0 {
				c.say("cli.check.history.none")
				return
			}
			t := table{head: c.heads("time", "state", "reason")}
			for _, e := range events {
				state := strings.TrimPrefix(e.Action, "check.")
				t.add(clock(e.At), c.t("cli.check.state."+state), e.Why)
			}
			c.table(t)
		})
	})
	f := cmd.Flags()
	f.StringVar(&a.since, "since", "", c.t("cli.flag.event-since"))
	f.StringVar(&a.until, "until", "", c.t("cli.flag.event-until"))
	f.IntVarP(&a.most, "limit", "n", 100, c.t("cli.flag.event-limit"))
	return cmd
}

func (c *cli) checkServicesCommand() *cobra.Command {
	return c.command("services", "check.services", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		services, err := controlapi.List[controlapi.ServiceStatus](cmd.Context(), node, "/services", nil, 0)
		if err != nil {
			return err
		}
		return c.show(services, func() {
			t := table{head: c.heads("service", "what", "state"), none: c.t("cli.check.list.none")}
			for _, s := range services {
				t.add(s.Service, "", c.t("cli.check.status."+s.Status))
				for _, part := range s.Components {
					t.add(s.Service, part.Component, c.t("cli.check.status."+part.Status))
				}
			}
			c.table(t)
		})
	})
}

// errCut says that the time for telling was over.
var errCut = errors.New("it took too long")

// tell sends a heartbeat, and tries again for a while: the job is over, and a node
// that is being replaced comes back.
func tell(ctx context.Context, node *controlapi.Client, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errCut)
	defer cancel()
	for tries := 1; ; tries++ {
		_, err := controlapi.Post[struct{}](ctx, node, path, nil)
		if code := continuity.CodeOf(err); err == nil || code != continuity.CodeUnreachable && code != continuity.CodeStarting && code != continuity.CodeTimeout {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(continuity.Backoff(tries, time.Second, 10*time.Second)):
		}
	}
}
