package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/control"
	"holdfast/internal/controlapi"
	"holdfast/internal/notify"
	"holdfast/internal/watch"
)

func (c *cli) channelCommand() *cobra.Command {
	cmd := c.onNode(c.group("channel", "channel"))
	cmd.AddCommand(c.channelListCommand(), c.channelTestCommand(), c.channelPreviewCommand(), c.channelSendCommand())
	return cmd
}

func (c *cli) channelListCommand() *cobra.Command {
	return c.command("list", "channel.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[controlapi.ChannelInfo](cmd.Context(), node, "/channels", nil, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("channel", "kind", "state", "since", "why", "last-sent", "tested"), none: c.t("cli.channel.list.none")}
			for i := range all {
				ch := &all[i]
				tested := ""
				if ch.Test != nil {
					tested = c.trialState(ch.Test) + " " + clock(ch.Test.At)
				}
				t.add(ch.ID, ch.Kind, c.term("channel.state.", ch.State), clock(ch.Since), c.channelWhy(ch), clock(ch.LastSent), tested)
			}
			c.table(t)
		})
	})
}

// warnMute warns whoever begins something of which people are to be told, where the
// node has no way to tell them. Who may not see the channels learns it from the
// notifications. It reports whether the node is known to be mute.
func (c *cli) warnMute(ctx context.Context, node *controlapi.Client) bool {
	all, err := controlapi.List[controlapi.ChannelInfo](ctx, node, "/channels", nil, 1)
	mute := err == nil && len(all) == 0
	if mute {
		c.warn("cli.channel.mute")
	}
	return mute
}

// channelWhy is why a channel fails, with what its provider said.
func (c *cli) channelWhy(ch *controlapi.ChannelInfo) string {
	why, said := c.term("notify.failure.", ch.Failure), ch.Said
	if said == "" && ch.Status != 0 {
		said = strconv.Itoa(ch.Status)
	}
	if why == "" || said == "" {
		return why
	}
	return why + c.t("channel.said", "said", clean(said))
}

func (c *cli) trialState(t *continuity.Trial) string {
	if t.State == notify.TrialPassed && t.Read {
		return c.t("channel.trial.read")
	}
	return c.term("channel.trial.", t.State)
}

func (c *cli) channelTestCommand() *cobra.Command {
	to := ""
	var wait time.Duration
	cmd := c.command("test <channel>", "channel.test", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		path := "/channels/" + url.PathEscape(args[0])
		asking, cancel := context.WithTimeout(cmd.Context(), 3*time.Minute)
		defer cancel()
		out, err := controlapi.Post[controlapi.ChannelTested](asking, node, path+"/test", controlapi.ChannelTest{To: to, Language: string(c.lang)})
		if err != nil {
			return err
		}
		if wait > 0 && out.Linked && out.Trial.State == notify.TrialPassed && !out.Trial.Read {
			if err := c.awaitReader(cmd.Context(), node, path, &out.Trial, wait); err != nil {
				return err
			}
		}
		if err := c.show(out, func() { c.showTested(args[0], &out) }); err != nil {
			return err
		}
		if out.Trial.State == notify.TrialFailed {
			return findings{}
		}
		return nil
	})
	cmd.Flags().StringVar(&to, "to", "", c.t("cli.flag.channel-to"))
	cmd.Flags().DurationVar(&wait, "wait", 0, c.t("cli.flag.channel-wait"))
	return cmd
}

// awaitReader waits until somebody confirms by the message's link that it arrived.
func (c *cli) awaitReader(ctx context.Context, node *controlapi.Client, path string, trial *continuity.Trial, wait time.Duration) error {
	if !c.json {
		c.say("cli.channel.test.waiting")
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil // nobody has, which is said
		case <-tick.C:
		}
		now, _, err := controlapi.Get[controlapi.ChannelInfo](ctx, node, path, nil)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return err
		case now.Test == nil || now.Test.ID != trial.ID: // another test took its place
			return nil
		case now.Test.Read:
			*trial = *now.Test
			return nil
		}
	}
}

func (c *cli) showTested(id string, out *controlapi.ChannelTested) {
	switch {
	case out.Trial.State == notify.TrialFailed:
		c.say("cli.channel.test.failed", "id", id, "why", watch.Say(c.lang, out.Trial.Reason))
	case out.Trial.Read:
		c.say("cli.channel.test.read", "id", id, "took", span(out.Trial.Took.Seconds()))
	case out.Trial.Reason.Code != "": // it is known that it got there
		c.say("cli.channel.test.arrived", "id", id, "took", span(out.Trial.Took.Seconds()))
	case out.Linked:
		c.say("cli.channel.test.linked", "id", id, "took", span(out.Trial.Took.Seconds()))
	default:
		c.say("cli.channel.test.taken", "id", id, "took", span(out.Trial.Took.Seconds()))
	}
	if len(out.Advice) == 0 {
		return
	}
	t := table{head: c.heads("level", "finding-text")}
	for _, a := range out.Advice {
		t.add(c.term("channel.advice.", a.Level), watch.Say(c.lang, continuity.CheckReason{Code: a.Code, Args: a.Args}))
	}
	fmt.Fprintln(c.out)
	c.table(t)
}

func (c *cli) channelSendCommand() *cobra.Command {
	channel, subject := "", ""
	var to []string
	cmd := c.command("send <text>", "channel.send", exactly(1), func(cmd *cobra.Command, args []string) error {
		text := strings.TrimSpace(args[0])
		if text == "" {
			return invalid("cli.invalid.channel-text")
		}
		if c.controlFile() == "" {
			return invalid("cli.invalid.channel-settings", "folder", c.where.dir)
		}
		settings, err := c.controlSettings()
		if err != nil {
			return err
		}
		if e := settings.Emergency; channel == "" && e != nil {
			channel = e.Channel
			if len(to) == 0 {
				to = e.To
			}
		}
		if channel == "" {
			return invalid("cli.invalid.channel-which")
		}
		c.logLevel = "WARN"
		logger, err := c.logger()
		if err != nil {
			return err
		}
		way, err := control.OpenEmergency(settings, channel, logger)
		if err != nil {
			return err
		}
		if subject == "" {
			subject, _, _ = strings.Cut(text, "\n")
		}
		all, err := way.Send(cmd.Context(), c.whoever(), to, subject, text)
		if err != nil && all == nil {
			return err
		}
		if err != nil { // it was sent: what is not written down is said here
			c.warn("cli.channel.send.unwritten", "cause", plainCause(err))
		}
		failed := false
		for i := range all {
			failed = failed || !all[i].Sent
		}
		if err := c.show(all, func() { c.showSent(all) }); err != nil {
			return err
		}
		if failed {
			return findings{}
		}
		return nil
	})
	f := cmd.Flags()
	f.StringVar(&channel, "channel", "", c.t("cli.flag.channel-channel"))
	f.StringArrayVar(&to, "to", nil, c.t("cli.flag.channel-send-to"))
	f.StringVar(&subject, "subject", "", c.t("cli.flag.channel-subject"))
	return cmd
}

// whoever is who types this: the person, or whose account it is.
func (c *cli) whoever() string {
	if c.person != "" {
		return c.person
	}
	if who, err := user.Current(); err == nil {
		return who.Username
	}
	return ""
}

// plainCause is the last of several errors' causes.
func plainCause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

func (c *cli) showSent(all []control.EmergencySent) {
	t := table{head: c.heads("channel", "to", "state", "why")}
	for i := range all {
		s := &all[i]
		state, why := "sent", ""
		if !s.Sent {
			state = "failed"
			if s.Maybe {
				state = "maybe"
			}
			why = watch.Say(c.lang, *s.Reason)
		}
		t.add(s.Channel, s.To, c.t("channel.sent."+state), why)
	}
	c.table(t)
}
