package flow

import (
	"time"

	"holdfast/internal/yamldoc"
)

// Document is a flow as it is written.
type Document struct {
	Schema  string            `yaml:"schema" kind:"word" of:"holdfast/flow@1" required:"true" example:"holdfast/flow@1"`
	ID      string            `yaml:"id" kind:"id" required:"true" example:"place-order"`
	Name    Text              `yaml:"name" example:"{en: Place an order, zh: 下单}"`
	Base    string            `yaml:"base" kind:"base" required:"true" example:"https://shop.example"`
	Direct  string            `yaml:"direct" kind:"base" example:"http://10.0.0.5:9001"`
	Timeout time.Duration     `yaml:"timeout" kind:"duration" default:"30s"`
	After   time.Duration     `yaml:"cleanup_timeout" kind:"duration" default:"10s"`
	Headers map[string]string `yaml:"headers" names:"header" kind:"text" example:"{Accept: application/json}"`
	Vars    map[string]string `yaml:"vars" names:"variable" kind:"text" example:"{sku: TEST-1}"`
	Steps   []Step            `yaml:"steps" required:"true"`
	Cleanup []Step            `yaml:"cleanup"`

	places yamldoc.Places
}

// Step is one request and what is expected of its answer.
type Step struct {
	ID      string            `yaml:"id" kind:"id" required:"true" example:"send"`
	Name    Text              `yaml:"name" example:"{en: Send, zh: 发送}"`
	Method  string            `yaml:"method" kind:"word" of:"GET,HEAD,POST,PUT,PATCH,DELETE" default:"GET"`
	URL     string            `yaml:"url" kind:"text" required:"true" example:"/api/orders"`
	Headers map[string]string `yaml:"headers" names:"header" kind:"text" example:"{Authorization: \"Bearer {{token}}\"}"`
	Body    *Body             `yaml:"body"`
	Expect  Expect            `yaml:"expect"`
	Save    map[string]*Save  `yaml:"save" names:"variable" example:"{token: /token}"`
	Until   *Until            `yaml:"until"`
	Retry   *Retry            `yaml:"retry"`
	Timeout time.Duration     `yaml:"timeout" kind:"duration" default:"10s"`
	Partial bool              `yaml:"partial" kind:"bool" default:"false"`
}

// Body is what a request bears: JSON, text, or a form, which may have a file.
type Body struct {
	JSON yamldoc.Raw       `yaml:"json" example:"{order_no: \"{{run}}\", qty: 1}"`
	Form map[string]string `yaml:"form" names:"text" kind:"text" example:"{user: \"{{account.user}}\"}"`
	Text string            `yaml:"text" kind:"text" example:"<ping/>"`
	Type string            `yaml:"type" kind:"media" example:"application/xml"`
	File *File             `yaml:"file"`
}

// File is a file of bytes that are made for the run.
type File struct {
	Field string `yaml:"field" kind:"text" default:"file"`
	Name  string `yaml:"name" kind:"text" default:"{{run}}.bin"`
	Type  string `yaml:"type" kind:"media" default:"application/octet-stream"`
	Size  int64  `yaml:"size" kind:"size" default:"64KiB"`
}

// Expect is what a good answer is. What is not set is not looked at.
type Expect struct {
	Status []string          `yaml:"status" kind:"status" default:"2xx" example:"[2xx, 409]"`
	Body   string            `yaml:"body" kind:"text" example:"received"`
	Not    string            `yaml:"not" kind:"text" example:"maintenance"`
	JSON   []JSON            `yaml:"json"`
	Header map[string]string `yaml:"header" names:"header" kind:"text" example:"{Content-Type: ^application/json}"`
	SHA256 string            `yaml:"sha256" kind:"text" example:"\"{{upload.sha256}}\""`
	Within time.Duration     `yaml:"within" kind:"duration" example:"800ms"`
}

// JSON is a value within a body.
type JSON struct {
	At      string   `yaml:"at" kind:"pointer" required:"true" short:"true" example:"/order/state"`
	Is      string   `yaml:"is" kind:"text" example:"\"{{run}}\""`
	Matches string   `yaml:"matches" kind:"text" example:"^(paid|open)$"`
	Least   *float64 `yaml:"at_least" kind:"figure" example:"1"`
	Most    *float64 `yaml:"at_most" kind:"figure" example:"5"`
}

// Save is where a value of an answer stands that later steps need.
type Save struct {
	JSON    string `yaml:"json" kind:"pointer" short:"true" example:"/token"`
	Header  string `yaml:"header" kind:"header" example:"X-Csrf-Token"`
	Cookie  string `yaml:"cookie" kind:"text" example:"session"`
	Pattern string `yaml:"pattern" kind:"pattern" example:"name=\"csrf\" value=\"([^\"]+)\""`
}

// Until asks again until the answer is as expected.
type Until struct {
	Every time.Duration `yaml:"every" kind:"duration" default:"1s"`
	For   time.Duration `yaml:"for" kind:"duration" required:"true" short:"true" example:"10s"`
}

// Retry sends again what failed on the way, or met a server that is busy.
type Retry struct {
	Times int64         `yaml:"times" kind:"int" min:"1" max:"5" required:"true" short:"true" example:"2"`
	Pause time.Duration `yaml:"pause" kind:"duration" default:"1s"`
}
