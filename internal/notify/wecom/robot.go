package wecom

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// RobotKind is the way by a group's robot.
var RobotKind = notify.Kind{
	Name: "wecom-robot", Serves: Kind.Serves, PerMinute: 20, Longest: longest / 3,
	Settings: func() any { return &RobotSettings{} },
	Open:     openRobot,
}

// RobotSettings are those of a group's robot.
type RobotSettings struct {
	API     string     `yaml:"api" kind:"url" default:"https://qyapi.weixin.qq.com"`
	Webhook secret.Ref `yaml:"webhook" required:"true"`
}

type robot struct {
	RobotSettings

	tools  notify.Tools
	client *http.Client
}

func openRobot(settings any, tools notify.Tools) (notify.Channel, error) {
	return &robot{*settings.(*RobotSettings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

// Send implements notify.Channel.
func (r *robot) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	address, err := httpsend.Hook(r.tools, r.Webhook, r.API+"/cgi-bin/webhook/send?key=")
	if err != nil {
		return notify.Sent{}, err
	}
	req, err := httpsend.JSON(ctx, address.String(), message{Type: "text", Text: textOf(m)})
	if err != nil {
		return notify.Sent{}, err
	}
	answer, err := httpsend.Ask(r.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	if _, failure := read(answer, r.tools.Now()); failure != nil {
		return notify.Sent{}, failure
	}
	return notify.Sent{Arrived: true}, nil
}
