package config

import (
	"time"

	"holdfast/internal/continuity"
)

type reconcileBlock struct {
	block
	Driver   value[string]              `yaml:"driver" kind:"word" of:"sqlite,postgres,mysql,http" required:"true" example:"postgres"`
	DSN      dsnBlock                   `yaml:"dsn"`
	Query    value[string]              `yaml:"query" kind:"text" example:"select order_no, total from orders"`
	URL      value[string]              `yaml:"url" kind:"url" example:"http://127.0.0.1:9001/internal/orders?limit=1000"`
	Token    fileOrEnvBlock             `yaml:"token"`
	Pages    pagesBlock                 `yaml:"pages"`
	Methods  list[string]               `yaml:"methods" kind:"method" default:"POST"`
	Amount   value[string]              `yaml:"amount" kind:"body" example:"json:/total"`
	Currency value[continuity.Currency] `yaml:"currency" kind:"currency" example:"CNY"`
	Applied  value[string]              `yaml:"applied" kind:"text" example:"select idempotency_key from idempotency"`
}

type dsnBlock struct {
	block
	File  value[string] `yaml:"file" kind:"file" example:"shop.dsn"`
	Env   value[string] `yaml:"env" kind:"env" example:"SHOP_DSN"`
	Value value[string] `yaml:"value" kind:"text" example:"shop.db"`
}

type fileOrEnvBlock struct {
	block
	File value[string] `yaml:"file" kind:"file" example:"shop.token"`
	Env  value[string] `yaml:"env" kind:"env" example:"SHOP_TOKEN"`
}

type pagesBlock struct {
	block
	Items    value[string] `yaml:"items" kind:"body" example:"json:/orders"`
	Key      value[string] `yaml:"key" kind:"body" required:"true" example:"json:/order_no"`
	Amount   value[string] `yaml:"amount" kind:"body" example:"json:/total"`
	Currency value[string] `yaml:"currency" kind:"body" example:"json:/currency"`
	Next     value[string] `yaml:"next" kind:"body" example:"json:/next"`
	Cursor   value[string] `yaml:"cursor" kind:"text" example:"after"`
}

type settlementBlock struct {
	block
	Key            value[string]              `yaml:"key" kind:"text" required:"true" example:"商户订单号"`
	Amount         value[string]              `yaml:"amount" kind:"text" required:"true" example:"订单金额"`
	Fee            value[string]              `yaml:"fee" kind:"text" example:"手续费"`
	Net            value[string]              `yaml:"net" kind:"text" example:"实收净额"`
	Currency       value[string]              `yaml:"currency" kind:"text" example:"币种"`
	Code           value[string]              `yaml:"code" kind:"code" example:"CNY"`
	Comma          value[string]              `yaml:"comma" kind:"word" of:"comma,semicolon,tab" default:"comma"`
	Encoding       value[string]              `yaml:"encoding" kind:"word" of:"utf-8,gb18030" default:"utf-8"`
	Cutoff         value[time.Duration]       `yaml:"cutoff" kind:"clock" default:"24:00"`
	Zone           value[*time.Location]      `yaml:"zone" kind:"zone" default:"Asia/Shanghai"`
	Slack          value[time.Duration]       `yaml:"slack" kind:"duration" zero:"ok" default:"5m"`
	RecordAmount   value[string]              `yaml:"record_amount" kind:"body" required:"true" example:"json:/total"`
	RecordCurrency value[continuity.Currency] `yaml:"record_currency" kind:"currency" example:"json:/currency"`
	Methods        list[string]               `yaml:"methods" kind:"method" default:"POST"`
}
