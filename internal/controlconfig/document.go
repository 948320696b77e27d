package controlconfig

import (
	"time"

	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
	"holdfast/internal/yamldoc"
)

// Control is a control node's settings, with every default filled in and, once
// loaded, every path absolute. What a field means stands in the catalogue under
// "controlconfig.setting." and its path.
type Control struct {
	Schema   string      `yaml:"schema" kind:"word" of:"holdfast/control@1" default:"holdfast/control@1"`
	Node     string      `yaml:"node" kind:"id" example:"control-1"`
	Listen   string      `yaml:"listen" kind:"address" default:"127.0.0.1:9800"`
	Names    []string    `yaml:"names" kind:"host" example:"holdfast.example.com"`
	TLS      *TLS        `yaml:"tls"`
	Conns    int64       `yaml:"connections" kind:"int" min:"10" max:"1000000" default:"2000"`
	Data     string      `yaml:"data" kind:"file" default:"control"`
	Database *secret.Ref `yaml:"database"`

	Lease time.Duration `yaml:"lease" kind:"duration" default:"10s"`

	Relays    []Relay         `yaml:"relays"`
	Outgoing  []outgoing.Rule `yaml:"outgoing" kind:"rule" example:"[shop.example.com:443, 10.1.0.0/16]"`
	Plans     Plans           `yaml:"plans"`
	Anchors   []string        `yaml:"anchors" kind:"address" example:"[192.168.1.1:53, dns.example:53]"`
	Checks    Checks          `yaml:"checks"`
	Logs      []string        `yaml:"logs" kind:"file" example:"[/var/log/shop]"`
	Metrics   Metrics         `yaml:"metrics"`
	Hooks     []Hook          `yaml:"hooks"`
	Channels  []Channel       `yaml:"channels"`
	Public    *Public         `yaml:"public"`
	Emergency *Emergency      `yaml:"emergency"`
	Commands  []Command       `yaml:"commands"`
	Backup    *Backup         `yaml:"backup"`
	Secrets   Secrets         `yaml:"secrets"`
	Language  string          `yaml:"language" kind:"word" of:"en,zh" default:"en"`

	File string // that it was read from; empty: none
}

// TLS is the certificate that the API shows.
type TLS struct {
	Cert string `yaml:"cert" kind:"file" required:"true" example:"/etc/holdfast/control.crt"`
	Key  string `yaml:"key" kind:"file" required:"true" example:"/etc/holdfast/control.key"`
}

// Relay is a relay that the node asks and drives.
type Relay struct {
	ID    string     `yaml:"id" kind:"id" required:"true" example:"shop"`
	Admin string     `yaml:"admin" kind:"url" default:"http://127.0.0.1:9091"`
	Token secret.Ref `yaml:"token" required:"true"`
}

// Plans is what a plan needs before it holds.
type Plans struct {
	Approval bool `yaml:"approval" kind:"bool" default:"false"`
}

// Checks is how the requests of checks are known.
type Checks struct {
	Mark *secret.Ref `yaml:"mark"`
}

// Metrics is how long measures are kept, and where else they go.
type Metrics struct {
	Retention   time.Duration `yaml:"retention" kind:"duration" default:"30d"`
	RemoteWrite []RemoteWrite `yaml:"remote_write"`
}

// RemoteWrite is a receiver of measures by Prometheus's protocol.
type RemoteWrite struct {
	URL   string      `yaml:"url" kind:"url" required:"true" example:"https://metrics.example.com/api/v1/write"`
	Token *secret.Ref `yaml:"token"`
}

// Hook is a place to which another system sends signed messages.
type Hook struct {
	ID      string     `yaml:"id" kind:"id" required:"true" example:"tills"`
	Service string     `yaml:"service" kind:"id" example:"orders"`
	Secret  secret.Ref `yaml:"secret" required:"true" example:"{secret: TILLS_WEBHOOK}"`
}

// Channel is a way by which the node sends.
type Channel struct {
	ID        string      `yaml:"id" kind:"id" required:"true" example:"company-mail"`
	Kind      string      `yaml:"kind" kind:"channel" required:"true" example:"mail"`
	With      yamldoc.Raw `yaml:"with" example:"{server: \"smtp.example.com:587\", from: alerts@example.com}"`
	PerMinute int64       `yaml:"per_minute" kind:"int" min:"1" max:"10000" example:"5"`

	Settings any // what stands in With, as the kind has it
}

// Public is the listener for those who are not in the company's network.
type Public struct {
	Listen string `yaml:"listen" kind:"address" required:"true" example:"0.0.0.0:9802"`
	URL    string `yaml:"url" kind:"url" required:"true" example:"https://ack.example.com"`
	TLS    *TLS   `yaml:"tls"`
}

// Emergency is whom the node tells when it can't write its state, and how: by the
// settings alone.
type Emergency struct {
	Channel string   `yaml:"channel" kind:"id" required:"true" example:"company-sms"`
	To      []string `yaml:"to" kind:"text" example:"[\"+8613800138000\"]"`
}

// Secrets is where secrets are that plans and settings name.
type Secrets struct {
	Folder string   `yaml:"folder" kind:"file" example:"/etc/holdfast/secrets"`
	Prefix string   `yaml:"prefix" kind:"env" default:"HOLDFAST_SECRET_"`
	Env    []string `yaml:"env" kind:"env" example:"SHOP_DSN"`
}
