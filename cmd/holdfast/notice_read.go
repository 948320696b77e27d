package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/binding"
	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/notices"
	"holdfast/internal/notices/kinds"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/secret"
	"holdfast/internal/yamldoc"
)

// noticeReadCommand shows without a node what would be understood of a file.
func (c *cli) noticeReadCommand() *cobra.Command {
	var planFile, zone, written, selector string
	cmd := c.command("read FILE", "notice.read", exactly(1), func(cmd *cobra.Command, args []string) error {
		service, err := c.readingBy(planFile, zone)
		if err != nil {
			return err
		}
		src, err := c.given(args)
		if err != nil {
			return err
		}
		now := time.Now()
		look, err := kinds.ReadFile(cmd.Context(), args[0], src, selector, service.Zone, now)
		if err != nil {
			return unreadNotice(err)
		}
		var at time.Time
		if written != "" {
			if at, err = laterMoment(written); err != nil {
				return err
			}
		}
		all := []notices.Proposal{}
		for _, item := range look.Items {
			if item.Written.IsZero() {
				item.Written = at
			}
			all = append(all, notices.Understand(service, item, now))
		}
		return c.show(all, func() {
			if len(all) == 0 {
				c.say("cli.notice.read.none")
			}
			for i := range all {
				if i > 0 {
					c.say("cli.notice.read.next")
				}
				all[i].ID = args[0]
				c.showNotice(&all[i])
			}
			if look.Left > 0 {
				c.warn("cli.notice.read.left", "n", look.Left)
			}
		})
	})
	cmd.Flags().StringVar(&planFile, "plan", "", c.t("cli.flag.notice-plan"))
	cmd.Flags().StringVar(&zone, "zone", "", c.t("cli.flag.notice-zone"))
	cmd.Flags().StringVar(&written, "written", "", c.t("cli.flag.notice-written"))
	cmd.Flags().StringVar(&selector, "selector", "", c.t("cli.flag.notice-selector"))
	return cmd
}

// readingBy is the plan's zone and names, or this machine's zone.
func (c *cli) readingBy(planFile, zone string) (notices.Service, error) {
	service := notices.Service{Zone: time.Local}
	if planFile != "" {
		r := &planReport{texts: map[string][]byte{}}
		plans, err := r.parse([]string{planFile}, "")
		if err != nil {
			return service, err
		}
		if yamldoc.Failed(r.problems) || len(plans) != 1 {
			c.reported = true
			return service, errors.Join(c.tell(r), continuity.E(continuity.CodeConfig, nil))
		}
		service = binding.Notices(plans[0], func(secret.Ref) func() (string, error) { return nil })
	}
	if zone != "" {
		at, err := calendar.ParseZone(zone)
		if err != nil {
			return service, err
		}
		service.Zone = at
	}
	return service, nil
}

// unreadNotice says why a file is none that a source could give.
func unreadNotice(err error) error {
	failure := new(fetch.Failure)
	if !errors.As(err, &failure) {
		return err
	}
	return invalid("notice.failed."+failure.Why, pairsOf(failure.Args)...)
}
