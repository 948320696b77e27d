package config

import "time"

type sensitiveBlock struct {
	block
	Fields  list[string]  `yaml:"fields" kind:"body" example:"[json:/card/no]"`
	Headers list[string]  `yaml:"headers" kind:"header" example:"[X-Card-Token]"`
	Query   list[string]  `yaml:"query" kind:"text" example:"[token]"`
	Then    value[string] `yaml:"then" kind:"word" of:"refuse,drop" default:"refuse"`
	Numbers list[string]  `yaml:"numbers" kind:"body" example:"[json:/tracking_no]"`
	Detect  value[bool]   `yaml:"detect" kind:"bool" default:"true"`
}

// callerBlock is public, or says how callers are verified.
type callerBlock struct {
	block
	public bool
	JWT    jwtBlock    `yaml:"jwt"`
	MTLS   mtlsBlock   `yaml:"mtls"`
	HMAC   hmacBlock   `yaml:"hmac"`
	APIKey apiKeyBlock `yaml:"api_key"`
}

type jwtBlock struct {
	block
	JWKS       value[string]        `yaml:"jwks" kind:"secure" example:"https://login.example/jwks.json"`
	Keys       value[string]        `yaml:"keys" kind:"file" example:"issuer.pem"`
	Secret     value[string]        `yaml:"secret" kind:"file" example:"jwt.secret"`
	MaxAge     value[time.Duration] `yaml:"max_age" kind:"duration" default:"24h"`
	Refresh    value[time.Duration] `yaml:"refresh" kind:"duration" default:"10m"`
	Issuer     value[string]        `yaml:"issuer" kind:"text" required:"true" example:"https://login.example"`
	Audience   list[string]         `yaml:"audience" kind:"text" required:"true" example:"orders"`
	Leeway     value[time.Duration] `yaml:"leeway" kind:"duration" zero:"ok" default:"30s"`
	Algorithms list[string]         `yaml:"algorithms" kind:"word" of:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA,HS256,HS384,HS512" example:"[RS256, ES256]"`
	Require    list[string]         `yaml:"require" kind:"text" example:"[scope]"`
	Name       value[string]        `yaml:"name" kind:"text" default:"sub"`
	Scope      value[string]        `yaml:"scope" kind:"text" default:"scope"`
	Header     value[string]        `yaml:"header" kind:"header" default:"Authorization"`
}

type mtlsBlock struct {
	block
	CA      value[string] `yaml:"ca" kind:"file" required:"true" example:"clients-ca.pem"`
	Name    value[string] `yaml:"name" kind:"word" of:"cn,dns,uri,email,subject" default:"cn"`
	Header  value[string] `yaml:"header" kind:"header" example:"X-Client-Cert"`
	Proxies list[string]  `yaml:"proxies" kind:"network" example:"10.0.0.0/8"`
}

type hmacBlock struct {
	block
	Keys   value[string]        `yaml:"keys" kind:"file" required:"true" example:"callers.keys"`
	Header value[string]        `yaml:"header" kind:"header" default:"X-Signature"`
	Window value[time.Duration] `yaml:"window" kind:"duration" default:"5m"`
}

type apiKeyBlock struct {
	block
	File   value[string] `yaml:"file" kind:"file" required:"true" example:"api-keys"`
	Header value[string] `yaml:"header" kind:"header" default:"X-API-Key"`
}
