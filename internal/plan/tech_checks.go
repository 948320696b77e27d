package plan

import "time"

// Check is one thing that is looked at again and again. Exactly one of the
// fields from HTTP to Host is there and says how.
type Check struct {
	ID   string `yaml:"id" kind:"id" required:"true" example:"place-order"`
	Name Text   `yaml:"name"`

	HTTP      string        `yaml:"http" kind:"url" example:"https://shop.example/healthz"`
	TCP       string        `yaml:"tcp" kind:"hostport" example:"10.0.0.5:5432"`
	TLS       string        `yaml:"tls" kind:"hostport" example:"shop.example:443"`
	DNS       string        `yaml:"dns" kind:"text" example:"shop.example"`
	ICMP      string        `yaml:"icmp" kind:"text" example:"10.0.0.5"`
	SQL       string        `yaml:"sql" kind:"text" example:"select 1"`
	Redis     string        `yaml:"redis" kind:"hostport" example:"10.0.0.6:6379"`
	SMTP      string        `yaml:"smtp" kind:"hostport" example:"mail.example:25"`
	WebSocket string        `yaml:"websocket" kind:"text" example:"wss://chat.example/socket"`
	Flow      string        `yaml:"flow" kind:"text" example:"flows/place-order.yaml"`
	Heartbeat time.Duration `yaml:"heartbeat" kind:"duration" example:"1d"`
	Log       string        `yaml:"log" kind:"text" example:"/var/log/shop/app.log"`
	Host      string        `yaml:"host" kind:"word" of:"cpu,memory,disk,load,network" example:"disk"`

	Every   time.Duration `yaml:"every" kind:"duration" default:"30s"`
	Timeout time.Duration `yaml:"timeout" kind:"duration" default:"10s"`
	Down    int64         `yaml:"down" kind:"int" min:"1" max:"100" default:"2"`
	Of      int64         `yaml:"of" kind:"int" min:"1" max:"100" default:"3"`
	Up      int64         `yaml:"up" kind:"int" min:"1" max:"100" default:"2"`
	Nodes   []string      `yaml:"nodes" kind:"id" example:"[beijing, shanghai, chengdu]"`
	Quorum  int64         `yaml:"quorum" kind:"int" min:"1" max:"99" example:"2"`
	Via     string        `yaml:"via" kind:"word" of:"relay,direct" default:"relay"`
	Slow    time.Duration `yaml:"slow" kind:"duration" example:"800ms"`

	Method  string             `yaml:"method" kind:"word" of:"GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS" default:"GET"`
	Headers map[string]*Header `yaml:"headers" names:"header" example:"{Accept: application/json}"`
	Body    string             `yaml:"body" kind:"text"`
	Expect  Expect             `yaml:"expect"`
	Secure  bool               `yaml:"secure" kind:"bool" default:"false"`
	Trust   *Trust             `yaml:"trust"`
	Expires Period             `yaml:"expires_within" kind:"period" default:"14d"`
	DSN     *Secret            `yaml:"dsn"`
	Auth    *Secret            `yaml:"auth"`
	Account string             `yaml:"account" kind:"id" ref:"accounts" example:"test-shopper"`
	Server  string             `yaml:"server" kind:"hostport" example:"10.0.0.2:53"`
	Record  string             `yaml:"record" kind:"word" of:"A,AAAA,CAA,CNAME,MX,NS,PTR,SOA,SRV,TXT" default:"A"`
	Grace   time.Duration      `yaml:"grace" kind:"duration" zero:"ok" default:"5m"`

	Pattern  string        `yaml:"pattern" kind:"pattern" example:"ERROR|timeout"`
	Unusual  string        `yaml:"unusual" kind:"word" of:"new,rare" example:"new"`
	Learn    time.Duration `yaml:"learn" kind:"duration" default:"1d"`
	Rate     float64       `yaml:"rate" kind:"rate" example:"5/min"`
	Quiet    time.Duration `yaml:"quiet" kind:"duration" example:"15m"`
	Encoding string        `yaml:"encoding" kind:"word" of:"auto,utf-8,gbk" default:"auto"`
	Begins   string        `yaml:"begins" kind:"pattern" example:"^[0-9]{4}-"`
	Device   string        `yaml:"device" kind:"text" example:"/var"`
	Over     float64       `yaml:"over" kind:"figure" example:"0.9"`
}

// Kind is how a check looks: the name of the field that says so, or nothing.
func (c *Check) Kind() string {
	for _, k := range c.kinds() {
		if k.text != "" {
			return k.name
		}
	}
	return ""
}

type checkKind struct{ name, text string }

func written(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func (c *Check) kinds() []checkKind {
	return []checkKind{
		{"http", c.HTTP}, {"tcp", c.TCP}, {"tls", c.TLS}, {"dns", c.DNS}, {"icmp", c.ICMP}, {"sql", c.SQL},
		{"redis", c.Redis}, {"smtp", c.SMTP}, {"websocket", c.WebSocket}, {"flow", c.Flow},
		{"heartbeat", written(c.Heartbeat)}, {"log", c.Log}, {"host", c.Host},
	}
}

// Expect is what a good answer is.
type Expect struct {
	Status   []string          `yaml:"status" kind:"status" default:"2xx" example:"[2xx, 301]"`
	Headers  map[string]string `yaml:"headers" names:"header" kind:"pattern" example:"{Content-Type: json}"`
	Body     string            `yaml:"body" kind:"pattern" example:"ok"`
	Not      string            `yaml:"not" kind:"pattern" example:"maintenance"`
	JSON     string            `yaml:"json" kind:"pointer" example:"/status"`
	Equals   string            `yaml:"equals" kind:"text" example:"UP"`
	AtLeast  *float64          `yaml:"at_least" kind:"figure" example:"1"`
	AtMost   *float64          `yaml:"at_most" kind:"figure" example:"500"`
	Answer   []string          `yaml:"answer" kind:"text" example:"[10.0.0.5]"`
	Received string            `yaml:"received" kind:"text" example:"pong"`
	Send     string            `yaml:"send" kind:"text" example:"ping"`
}

// Header is a header's value, written out or kept elsewhere.
type Header struct {
	Text   string `yaml:"text" kind:"text" short:"true" example:"application/json"`
	Secret string `yaml:"secret" kind:"env" example:"SHOP_KEY"`
	Env    string `yaml:"env" kind:"env" example:"SHOP_KEY"`
	File   string `yaml:"file" kind:"text" example:"/etc/holdfast/secrets/shop.key"`
}

// Trust says which certificates count, and which one is shown.
type Trust struct {
	Name        string `yaml:"server_name" kind:"text" example:"db.internal"`
	CA          string `yaml:"ca" kind:"text" example:"/etc/holdfast/secrets/ca.pem"`
	Certificate string `yaml:"certificate" kind:"text" example:"/etc/holdfast/secrets/client.pem"`
	Key         string `yaml:"private_key" kind:"text" example:"/etc/holdfast/secrets/client.key"`
}

// Secret is a reference to what must not stand in a plan: a name in the node's
// store of secrets, an environment variable or a file.
type Secret struct {
	Secret string `yaml:"secret" kind:"env" example:"SHOP_DSN"`
	Env    string `yaml:"env" kind:"env" example:"SHOP_DSN"`
	File   string `yaml:"file" kind:"text" example:"/etc/holdfast/secrets/shop.dsn"`
}
