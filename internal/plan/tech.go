package plan

import (
	"time"

	"holdfast/internal/yamldoc"
)

// Tech is what engineers bound to a plan.
type Tech struct {
	Schema string `yaml:"schema" kind:"word" of:"holdfast/plan-tech@1" required:"true" example:"holdfast/plan-tech@1"`
	Plan   string `yaml:"plan" kind:"id" example:"orders"`

	Checks    []Check           `yaml:"checks" ids:"checks" used:"true"`
	Measures  map[string]string `yaml:"measures" names:"text" kind:"text" ids:"measures" used:"true"`
	Scrape    []Scrape          `yaml:"scrape" ids:"scrape"`
	Routes    []Route           `yaml:"routes" ids:"routes"`
	Notices   []NoticeSource    `yaml:"notices" ids:"notices"`
	Calendars []Calendar        `yaml:"calendars" ids:"calendars"`
	Accounts  []Account         `yaml:"accounts" ids:"accounts" used:"true"`

	Places yamldoc.Places `json:"-"`
}

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
	Nodes   int64         `yaml:"nodes" kind:"int" min:"1" max:"99" default:"1"`
	Via     string        `yaml:"via" kind:"word" of:"relay,direct" default:"relay"`
	Slow    time.Duration `yaml:"slow" kind:"duration" example:"800ms"`

	Method  string  `yaml:"method" kind:"word" of:"GET,HEAD,POST,PUT" default:"GET"`
	Expect  Expect  `yaml:"expect"`
	Expires Period  `yaml:"expires_within" kind:"period" default:"14d"`
	DSN     *Secret `yaml:"dsn"`
	Auth    *Secret `yaml:"auth"`
	Account string  `yaml:"account" kind:"id" ref:"accounts" example:"test-shopper"`
	Server  string  `yaml:"server" kind:"text" example:"10.0.0.2:53"`
	Pattern string  `yaml:"pattern" kind:"pattern" example:"ERROR|timeout"`
	Rate    float64 `yaml:"rate" kind:"rate" example:"5/min"`
	Over    float64 `yaml:"over" kind:"figure" example:"0.9"`
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
	Status   []string `yaml:"status" kind:"status" default:"2xx" example:"[2xx, 301]"`
	Body     string   `yaml:"body" kind:"pattern" example:"ok"`
	Not      string   `yaml:"not" kind:"pattern" example:"maintenance"`
	JSON     string   `yaml:"json" kind:"text" example:"/status"`
	Equals   string   `yaml:"equals" kind:"text" example:"UP"`
	Rows     int64    `yaml:"rows" kind:"int" min:"0" example:"1"`
	Answer   []string `yaml:"answer" kind:"text" example:"[10.0.0.5]"`
	Received string   `yaml:"received" kind:"text" example:"pong"`
	Send     string   `yaml:"send" kind:"text" example:"ping"`
}

// Secret is a reference to what must not stand in a plan: a name in the node's
// store of secrets, an environment variable or a file.
type Secret struct {
	Secret string `yaml:"secret" kind:"env" example:"SHOP_DSN"`
	Env    string `yaml:"env" kind:"env" example:"SHOP_DSN"`
	File   string `yaml:"file" kind:"text" example:"/etc/holdfast/shop.dsn"`
}

// WarningRule is a threshold of a named measure, or a check's state.
type WarningRule struct {
	ID      string        `yaml:"id" kind:"id" required:"true" example:"orders-slow"`
	Name    Text          `yaml:"name"`
	Measure string        `yaml:"measure" kind:"text" ref:"measures" example:"order p95"`
	Check   string        `yaml:"check" kind:"id" ref:"checks" example:"database"`
	State   string        `yaml:"state" kind:"word" of:"degraded,down,unknown" default:"degraded"`
	Over    *float64      `yaml:"over" kind:"figure" example:"800ms"`
	Under   *float64      `yaml:"under" kind:"figure" example:"99%"`
	Clear   *float64      `yaml:"clear" kind:"figure" example:"600ms"`
	For     time.Duration `yaml:"for" kind:"duration" default:"2m"`
	Level   string        `yaml:"level" kind:"word" of:"blue,yellow,orange,red" required:"true" example:"yellow"`
	Partial bool          `yaml:"partial" kind:"bool" default:"false"`
	Owner   string        `yaml:"owner" kind:"person" ref:"roles|people"`
}

// Reports make a warning of what staff tell.
type Reports struct {
	Count  int64         `yaml:"count" kind:"int" min:"1" default:"3"`
	Within time.Duration `yaml:"within" kind:"duration" default:"10m"`
	Level  string        `yaml:"level" kind:"word" of:"blue,yellow,orange,red" default:"yellow"`
}

// SLO is a promise from which burn-rate rules are made.
type SLO struct {
	ID        string  `yaml:"id" kind:"id" required:"true" example:"orders-answered"`
	Name      Text    `yaml:"name"`
	Objective float64 `yaml:"objective" kind:"availability" required:"true" example:"99.9%"`
	Window    Period  `yaml:"window" kind:"period" default:"30d"`
	Check     string  `yaml:"check" kind:"id" ref:"checks" example:"place-order"`
	Good      string  `yaml:"good" kind:"text" ref:"measures" example:"orders answered"`
	Total     string  `yaml:"total" kind:"text" ref:"measures" example:"orders asked"`
}

// Scrape is a Prometheus endpoint of another machine.
type Scrape struct {
	ID      string        `yaml:"id" kind:"id" required:"true" example:"shop-host"`
	Targets []string      `yaml:"targets" kind:"url" required:"true" example:"http://10.0.0.5:9100/metrics"`
	Every   time.Duration `yaml:"every" kind:"duration" default:"15s"`
	Auth    *Secret       `yaml:"auth"`
}

// Route is what the plan needs of a route of the relay.
type Route struct {
	ID          string      `yaml:"id" kind:"id" required:"true" example:"orders"`
	Relay       string      `yaml:"relay" kind:"id" default:"relay"`
	Match       RouteMatch  `yaml:"match"`
	Upstream    string      `yaml:"upstream" kind:"url" required:"true" example:"http://127.0.0.1:9001"`
	Key         string      `yaml:"key" kind:"text" example:"json:/order_no"`
	Idempotency RouteRepeat `yaml:"idempotency"`
	Caller      yamldoc.Raw `yaml:"caller" example:"{jwt: keys/shop.jwks}"`
	Hold        RouteHold   `yaml:"hold"`
	Answer      RouteAnswer `yaml:"answer"`
	Health      string      `yaml:"health" kind:"id" ref:"checks" example:"place-order"`
}

// RouteMatch is what the route takes.
type RouteMatch struct {
	Host    []string `yaml:"host" kind:"text" example:"shop.example"`
	Path    []string `yaml:"path" kind:"text" example:"/api/orders/**"`
	Methods []string `yaml:"methods" kind:"word" of:"GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS" example:"[POST, PUT]"`
}

// RouteRepeat is how a repeat fares at the upstream.
type RouteRepeat struct {
	By        string        `yaml:"by" kind:"word" of:"key,natural,none" default:"none"`
	Remembers time.Duration `yaml:"remembers" kind:"duration" example:"72h"`
}

// RouteHold is what may be kept, and how much of it.
type RouteHold struct {
	State string        `yaml:"state" kind:"word" of:"observe,on,never" default:"observe"`
	Age   time.Duration `yaml:"age" kind:"duration" default:"24h"`
	Count int64         `yaml:"count" kind:"int" min:"1" default:"200000"`
	Bytes int64         `yaml:"bytes" kind:"size" default:"2GiB"`
}

// RouteAnswer is what a held client gets.
type RouteAnswer struct {
	Status   int64  `yaml:"status" kind:"int" min:"200" max:"299" default:"202"`
	Template string `yaml:"template" kind:"id" ref:"templates" example:"received-to-be-confirmed"`
}

// NoticeSource is where a provider tells of its work and its faults.
type NoticeSource struct {
	ID       string        `yaml:"id" kind:"id" required:"true" example:"messenger-status"`
	Provider string        `yaml:"provider" kind:"id" ref:"providers" required:"true" example:"messenger-inc"`
	Kind     string        `yaml:"kind" kind:"word" of:"statuspage,feed,ical,page,mailbox" required:"true" example:"statuspage"`
	URL      string        `yaml:"url" kind:"text" required:"true" example:"https://status.example.com/api/v2/summary.json"`
	Selector string        `yaml:"selector" kind:"text" example:"\"#notices\""`
	Every    time.Duration `yaml:"every" kind:"duration" default:"5m"`
	Auth     *Secret       `yaml:"auth"`
}

// Calendar is a calendar to be read.
type Calendar struct {
	ID   string `yaml:"id" kind:"id" required:"true" example:"promotions"`
	Kind string `yaml:"kind" kind:"word" of:"peaks,meetings,freeze" required:"true" example:"peaks"`
	URL  string `yaml:"url" kind:"text" required:"true" example:"https://cal.example/promotions.ics"`
}

// Account is a test account for synthetic flows.
type Account struct {
	ID     string `yaml:"id" kind:"id" required:"true" example:"test-shopper"`
	User   string `yaml:"user" kind:"text" required:"true" example:"test-shopper@example.com"`
	Secret Secret `yaml:"secret" required:"true" example:"{secret: SHOPPER}"`
}
