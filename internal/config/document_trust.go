package config

type sensitiveBlock struct {
	block
	Fields  list[string]  `yaml:"fields" kind:"body" example:"[json:/card/no]"`
	Headers list[string]  `yaml:"headers" kind:"header" example:"[X-Card-Token]"`
	Query   list[string]  `yaml:"query" kind:"text" example:"[token]"`
	Then    value[string] `yaml:"then" kind:"word" of:"refuse,drop" default:"refuse"`
	Numbers list[string]  `yaml:"numbers" kind:"body" example:"[json:/tracking_no]"`
	Detect  value[bool]   `yaml:"detect" kind:"bool" default:"true"`
}
