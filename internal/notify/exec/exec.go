// Package exec hands messages to a program of this machine: a pager's own client,
// a siren, whatever else there is. The program gets the message as JSON on its
// standard input, and nothing of it in its arguments or environment. No shell is
// involved.
//
// A status of 0 means that the message was taken; the first line of what the
// program prints is its id, where there is one. Other statuses are those of
// sysexits(3).
package exec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"holdfast/internal/notify"
)

// Kind is the way by a program of this machine.
var Kind = notify.Kind{
	Name: "exec", PerMinute: 60,
	Serves: []string{
		"mail", "sms", "phone", "wecom", "dingtalk", "feishu", "wechat", "telegram", "slack", "webhook", "site", "social", "board", "meeting", "hotline", "messenger",
	},
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a program.
type Settings struct {
	Program string        `yaml:"program" kind:"file" required:"true" example:"/usr/local/bin/page"`
	Args    []string      `yaml:"args" kind:"text" example:"[--loud]"`
	Env     []string      `yaml:"env" kind:"env" example:"[PAGER_TOKEN]"`
	Timeout time.Duration `yaml:"timeout" kind:"duration" default:"20s"`
}

const (
	mostOutput = 64 << 10 // read; more is thrown away
	mostID     = 100
	// endsWithin is how long what the program leaves behind may hold its output.
	endsWithin = 2 * time.Second
)

// message is what the program reads.
type message struct {
	Key      string `json:"key"`
	Repeat   bool   `json:"repeat,omitempty"`
	Kind     string `json:"kind,omitempty"`
	To       string `json:"to,omitempty"`
	Name     string `json:"name,omitempty"`
	Language string `json:"language"`
	Urgent   bool   `json:"urgent,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Text     string `json:"text"`
	Link     string `json:"link,omitempty"`
	Reply    string `json:"reply,omitempty"`
	Thread   string `json:"thread,omitempty"`
}

type channel struct {
	Settings

	tools notify.Tools
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &channel{*settings.(*Settings), tools}, nil
}

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	body, err := json.Marshal(message{m.Key, m.Repeat, m.Kind, m.To, m.Name, m.Language, m.Urgent, m.Subject, m.Text, m.Link, m.Reply, m.Thread})
	if err != nil {
		return notify.Sent{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program, c.Args...) // #nosec G204 -- what the settings name
	cmd.Dir, cmd.Env = "/", c.environment()
	cmd.Stdin = bytes.NewReader(append(body, '\n'))
	out := &bounded{}
	cmd.Stdout = out // its errors are its own: they may bear anything
	cmd.WaitDelay = endsWithin
	group(cmd)
	if err := cmd.Start(); err != nil {
		c.tools.Log.Warn("a channel's program can't be started", "channel", c.tools.ID, "error", err)
		return notify.Sent{}, &notify.Failure{Code: notify.FailSettings}
	}
	err = cmd.Wait()
	endGroup(cmd) // what it left behind
	if ctx.Err() != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		c.tools.Log.Warn("a channel's program failed", "channel", c.tools.ID, "status", exit.ExitCode())
		return notify.Sent{}, failure(exit.ExitCode())
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) && !isPipe(err) {
		return notify.Sent{}, &notify.Failure{Code: notify.FailUnknown, Retry: true, Maybe: true}
	}
	return notify.Sent{ID: out.id()}, nil
}

// environment is what a program needs to find others, and what the settings name.
func (c *channel) environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOLDFAST_CHANNEL=" + c.tools.ID}
	for _, name := range c.Env {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// failure is what a status means, by sysexits(3).
func failure(status int) *notify.Failure {
	f := &notify.Failure{Code: notify.FailProvider, Status: status}
	switch status {
	case 64, 65: // usage, data
		f.Code = notify.FailContent
	case 67, 68: // no such user, no such host
		f.Code = notify.FailAddress
	case 69, 75: // not available, try later
		f.Code, f.Retry = notify.FailUnreachable, true
	case 77: // no leave
		f.Code = notify.FailRefused
	case 78, 126, 127: // settings; not to be run, not there
		f.Code = notify.FailSettings
	case -1: // killed
		f.Code, f.Retry, f.Maybe = notify.FailUncertain, true, true
	}
	return f
}

// bounded keeps the beginning of what is written.
type bounded struct{ b bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.b.Write(p[:min(len(p), mostOutput-b.b.Len())])
	return len(p), nil
}

// id is the first line, if it can be one.
func (b *bounded) id() string {
	line, _, _ := strings.Cut(b.b.String(), "\n")
	line = strings.TrimSpace(line)
	if len(line) > mostID || strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return line
}
