package config

import (
	"net/netip"
	"time"

	"holdfast/internal/continuity"
)

// The structs below are the table of all fields. Their tags say
//
//	yaml      the field's name
//	kind      how its text is read (kinds.go)
//	default   the value where the field is absent, as it would be written
//	required  the field must be there, with its block
//	of        the words of kind "word"
//	min, max  bounds of kind "int"
//	short     an entry of a list may be this field's value alone
//	zero      "ok" where a duration or number may be zero
//	example   for the reference, where the default does not serve
//
// What a field means stands in the catalogue under "setting." and its path.

// document is the whole file.
type document struct {
	block
	Schema  value[string]      `yaml:"schema" kind:"word" of:"holdfast/relay@1" default:"holdfast/relay@1"`
	Listen  []listenBlock      `yaml:"listen" required:"true" example:"127.0.0.1:9000"`
	Trusted list[netip.Prefix] `yaml:"trusted_proxies" kind:"cidr" example:"[127.0.0.0/8, \"::1/128\"]"`
	Trace   value[string]      `yaml:"trace" kind:"word" of:"pass,make" default:"pass"`
	Admin   adminBlock         `yaml:"admin"`
	Data    value[string]      `yaml:"data" kind:"file" default:"data"`
	Master  masterBlock        `yaml:"master_key"`
	Journal journalBlock       `yaml:"journal"`
	Limits  limitsBlock        `yaml:"limits"`
	Routes  []routeBlock       `yaml:"routes" required:"true"`

	Approvals approvalsBlock `yaml:"approvals"`
	Checks    checksBlock    `yaml:"checks"`
}

type adminBlock struct {
	block
	Listen value[string] `yaml:"listen" kind:"address" default:"127.0.0.1:9091"`
	Token  tokenBlock    `yaml:"token"`
}

type tokenBlock struct {
	block
	File value[string] `yaml:"file" kind:"file" default:"data/admin.token"`
}

type masterBlock struct {
	block
	File value[string] `yaml:"file" kind:"file" default:"data/master.key"`
}

type journalBlock struct {
	block
	Segment value[int64] `yaml:"segment" kind:"size" default:"64MiB"`
	Size    value[int64] `yaml:"size" kind:"size" default:"8GiB"`
}

type limitsBlock struct {
	block
	Count value[int64] `yaml:"count" kind:"int" min:"1" default:"1000000"`
	Live  value[int64] `yaml:"live" kind:"size" default:"256MiB"`

	ConnsPerAddress value[int64] `yaml:"conns_per_address" kind:"int" min:"0" default:"0" example:"100"`
	Replies         value[int64] `yaml:"replies" kind:"size" default:"64MiB"`
}

type routeBlock struct {
	block
	ID          value[string]              `yaml:"id" kind:"id" required:"true" example:"orders"`
	Match       matchBlock                 `yaml:"match"`
	Upstream    value[string]              `yaml:"upstream" kind:"upstream" required:"true" example:"http://127.0.0.1:9001"`
	Moved       list[string]               `yaml:"moved" kind:"upstream" example:"http://127.0.0.1:9000"`
	Standby     standbyBlock               `yaml:"standby"`
	Key         value[continuity.Selector] `yaml:"key" kind:"selector" default:"none" example:"json:/order_no"`
	Idempotency idempotencyBlock           `yaml:"idempotency"`
	Caller      callerBlock                `yaml:"caller" example:"public"`
	Hold        holdBlock                  `yaml:"hold"`
	Answer      answerBlock                `yaml:"answer"`
	Reply       replyBlock                 `yaml:"reply"`
	Block       []blockEntry               `yaml:"block"`
	Outcome     outcomeBlock               `yaml:"outcome"`
	Capacity    value[float64]             `yaml:"capacity" kind:"rate" example:"400/s"`
	Ramp        rampBlock                  `yaml:"ramp"`
	Timeouts    timeoutsBlock              `yaml:"timeouts"`
	Settle      value[time.Duration]       `yaml:"settle" kind:"duration" example:"10s"`
	Detect      detectBlock                `yaml:"detect"`
	Poison      poisonBlock                `yaml:"poison"`
	Receipt     receiptBlock               `yaml:"receipt"`
	Rewrite     rewriteBlock               `yaml:"rewrite"`
	Sign        signBlock                  `yaml:"sign"`
	Reconcile   reconcileBlock             `yaml:"reconcile"`
	Sensitive   sensitiveBlock             `yaml:"sensitive"`
	Settlement  settlementBlock            `yaml:"settlement"`
	UpstreamTLS upstreamTLSBlock           `yaml:"upstream_tls"`
	Priority    priorityBlock              `yaml:"priority"`
	Record      value[string]              `yaml:"record" kind:"word" of:"held,all" default:"held"`
	Keep        value[time.Duration]       `yaml:"keep" kind:"duration" zero:"ok" default:"0s" example:"7d"`
	Retention   value[time.Duration]       `yaml:"retention" kind:"duration" example:"30d"`
	Admission   admissionBlock             `yaml:"admission"`
	Line        lineBlock                  `yaml:"waiting_line"`
}

type matchBlock struct {
	block
	Host    list[string] `yaml:"host" kind:"host" example:"shop.example"`
	Path    list[string] `yaml:"path" kind:"path" example:"/api/orders/**"`
	Methods list[string] `yaml:"methods" kind:"method" example:"[POST, PUT, DELETE]"`
}

type idempotencyBlock struct {
	block
	By          value[string]        `yaml:"by" kind:"word" of:"key,natural,none" required:"true" example:"key"`
	Remembers   value[time.Duration] `yaml:"remembers" kind:"duration" example:"72h"`
	SavesErrors value[bool]          `yaml:"saves_errors" kind:"bool" default:"false"`
	Fields      list[string]         `yaml:"fields" kind:"field" example:"[json:/order_no]"`
	Compare     value[string]        `yaml:"compare" kind:"word" of:"request,fields" default:"request"`
	Decides     value[string]        `yaml:"decides" kind:"text" example:"orders-desk"`
	Lookup      lookupBlock          `yaml:"lookup"`
}

type holdBlock struct {
	block
	State   value[string]        `yaml:"state" kind:"word" of:"observe,on,never" default:"observe"`
	Methods list[string]         `yaml:"methods" kind:"method" example:"[POST, PUT, DELETE]"`
	Item    value[int64]         `yaml:"item" kind:"size" default:"1MiB"`
	Count   value[int64]         `yaml:"count" kind:"int" min:"1" default:"200000"`
	Bytes   value[int64]         `yaml:"bytes" kind:"size" default:"2GiB"`
	Age     value[time.Duration] `yaml:"age" kind:"duration" default:"24h"`
	Except  []exceptBlock        `yaml:"except"`

	Amount      amountBlock    `yaml:"amount"`
	SignedOff   signedOffBlock `yaml:"signed_off"`
	Credentials value[string]  `yaml:"credentials" kind:"credentials" default:"false"`
	Mint        mintBlock      `yaml:"mint"`
	Share       value[float64] `yaml:"share" kind:"percent" default:"100%" example:"10%"`
}

type exceptBlock struct {
	block
	Pointer value[string] `yaml:"pointer" kind:"pointer" required:"true" example:"/limited"`
	In      list[string]  `yaml:"in" kind:"text" example:"[\"true\"]"`
}

type answerBlock struct {
	block
	Status  value[int64]         `yaml:"status" kind:"int" min:"200" max:"299" default:"202"`
	Type    value[string]        `yaml:"type" kind:"media" default:"application/json"`
	Body    value[string]        `yaml:"body" kind:"text" example:"'{\"receipt\": \"{receipt}\"}'"`
	Headers headerMap            `yaml:"headers" kind:"text" example:"{Cache-Control: no-store}"`
	Wait    value[time.Duration] `yaml:"wait" kind:"duration" zero:"ok" default:"0s"`
	Repeat  value[string]        `yaml:"repeat" kind:"word" of:"final,same" default:"final"`
}

type outcomeBlock struct {
	block
	Delivered list[continuity.StatusRange] `yaml:"delivered" kind:"status" example:"[2xx, 303]"`
	Retry     list[continuity.StatusRange] `yaml:"retry" kind:"status" example:"[423]"`
	Refused   list[continuity.StatusRange] `yaml:"refused" kind:"status" example:"[410]"`
	Clean     list[continuity.StatusRange] `yaml:"clean" kind:"status" example:"[503]"`
	Lost      list[continuity.StatusRange] `yaml:"lost" kind:"status" example:"[502, 504]"`
	Body      outcomeBodyBlock             `yaml:"body"`
}

type rampBlock struct {
	block
	Start      value[float64]       `yaml:"start" kind:"percent" default:"10%"`
	Window     value[time.Duration] `yaml:"window" kind:"duration" default:"30s"`
	Aggression value[float64]       `yaml:"aggression" kind:"number" default:"1"`
	InFlight   value[int64]         `yaml:"in_flight" kind:"int" min:"1" max:"1024" default:"16"`
}

type timeoutsBlock struct {
	block
	Connect value[time.Duration] `yaml:"connect" kind:"duration" default:"1s"`
	Attempt value[time.Duration] `yaml:"attempt" kind:"duration" default:"10s"`
	Idle    value[time.Duration] `yaml:"idle" kind:"duration" default:"30s"`
}

type detectBlock struct {
	block
	Losses value[int64]         `yaml:"losses" kind:"int" min:"1" default:"3"`
	Within value[time.Duration] `yaml:"within" kind:"duration" default:"10s"`
	Check  checkBlock           `yaml:"check"`
	Then   value[string]        `yaml:"then" kind:"word" of:"hold,divert,reply" default:"hold"`
	Follow value[time.Duration] `yaml:"follow" kind:"duration" zero:"ok" default:"1m"`
}

type checkBlock struct {
	block
	Path  value[string]        `yaml:"path" kind:"target" required:"true" example:"/healthz"`
	Every value[time.Duration] `yaml:"every" kind:"duration" default:"1s"`
	Down  value[int64]         `yaml:"down" kind:"int" min:"1" default:"2"`
	Up    value[int64]         `yaml:"up" kind:"int" min:"1" default:"3"`
}

type poisonBlock struct {
	block
	Attempts value[int64]  `yaml:"attempts" kind:"int" min:"1" max:"1000" default:"10"`
	Then     value[string] `yaml:"then" kind:"word" of:"park,dead" default:"park"`
}

type receiptBlock struct {
	block
	Response value[int64] `yaml:"response" kind:"size" zero:"ok" default:"4KiB"`
	Webhook  webhookBlock `yaml:"webhook"`
}
