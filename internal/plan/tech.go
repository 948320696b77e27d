package plan

import (
	"time"

	"holdfast/internal/yamldoc"
)

// Tech is what engineers bound to a plan.
type Tech struct {
	Schema string `yaml:"schema" kind:"word" of:"holdfast/plan-tech@1" required:"true" example:"holdfast/plan-tech@1"`
	Plan   string `yaml:"plan" kind:"id" example:"orders"`

	Checks    []Check             `yaml:"checks" ids:"checks" used:"true"`
	Measures  map[string]*Measure `yaml:"measures" names:"text" ids:"measures" used:"true"`
	Scrape    []Scrape            `yaml:"scrape" ids:"scrape"`
	Routes    []Route             `yaml:"routes" ids:"routes"`
	Notices   []NoticeSource      `yaml:"notices" ids:"notices"`
	Calendars []Calendar          `yaml:"calendars" ids:"calendars"`
	Accounts  []Account           `yaml:"accounts" ids:"accounts" used:"true"`
	Channels  []Sender            `yaml:"channels" ids:"senders"`
	Backups   []Capture           `yaml:"backups" ids:"captures"`
	Upgrades  []Rollout           `yaml:"upgrades" ids:"rollouts"`
	Allow     []string            `yaml:"allow" kind:"text" example:"[10.0.0.5:5432, \"10.0.0.0/24:9100\", unix:/run/postgresql/.s.PGSQL.5432]"`

	Places yamldoc.Places `json:"-"`
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
	Sign    string        `yaml:"sign" kind:"word" of:"slow,unstable,sends,uploads,late-notices,login-codes,sessions,other" example:"sends"`
	Owner   string        `yaml:"owner" kind:"person" ref:"roles|people"`
}

// Reports make a warning of what staff tell.
type Reports struct {
	Count  int64         `yaml:"count" kind:"int" min:"1" default:"3"`
	Within time.Duration `yaml:"within" kind:"duration" default:"10m"`
	Each   string        `yaml:"each" kind:"word" of:"service,component,office" default:"service"`
	Twice  bool          `yaml:"count_twice" kind:"bool" default:"false"`
	Level  string        `yaml:"level" kind:"word" of:"blue,yellow,orange,red" default:"yellow"`
	Quiet  time.Duration `yaml:"quiet" kind:"duration" default:"30m"`
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
	Fast      string  `yaml:"fast_burn" kind:"word" of:"blue,yellow,orange,red" default:"orange"`
	Slow      string  `yaml:"slow_burn" kind:"word" of:"blue,yellow,orange,red" default:"yellow"`
}

// Measure is a figure with a name: of PromQL, of a route of the relay, or of a
// check. Exactly one of its first three fields is there.
type Measure struct {
	Query  string       `yaml:"promql" kind:"text" short:"true" example:"sum(rate(orders_total[5m]))"`
	Relay  *RelayFigure `yaml:"relay" example:"{route: orders, figure: held}"`
	Check  string       `yaml:"check" kind:"id" ref:"checks" example:"queue-length"`
	Figure string       `yaml:"figure" kind:"text" default:"seconds"`
}

// RelayFigure is what the relay says of one of its routes.
type RelayFigure struct {
	Route  string `yaml:"route" kind:"id" ref:"routes" required:"true" example:"orders"`
	Figure string `yaml:"figure" kind:"word" of:"held,bytes,oldest,in-doubt,dead,drain,latency,failed,refused,live" required:"true" example:"held"`
}

// Scrape is a Prometheus endpoint of another machine.
type Scrape struct {
	ID      string        `yaml:"id" kind:"id" required:"true" example:"shop-host"`
	Targets []string      `yaml:"targets" kind:"url" required:"true" example:"http://10.0.0.5:9100/metrics"`
	Every   time.Duration `yaml:"every" kind:"duration" default:"15s"`
	Timeout time.Duration `yaml:"timeout" kind:"duration" default:"10s"`
	Samples int64         `yaml:"samples" kind:"int" min:"1" max:"1000000" default:"50000"`
	Bytes   int64         `yaml:"bytes" kind:"size" default:"16MiB"`
	Auth    *Secret       `yaml:"auth"`
	Trust   *Trust        `yaml:"trust"`
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
	Answers     string      `yaml:"autoreply" kind:"id" ref:"audiences" example:"customers"`
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

// NoticeSource is where a provider tells of its work and its faults: an address
// on the web, or a mailbox.
type NoticeSource struct {
	ID         string        `yaml:"id" kind:"id" required:"true" example:"messenger-status"`
	Provider   string        `yaml:"provider" kind:"id" ref:"providers" required:"true" example:"messenger-inc"`
	Kind       string        `yaml:"kind" kind:"word" of:"statuspage,feed,ical,page,mailbox" required:"true" example:"statuspage"`
	URL        string        `yaml:"url" kind:"url" example:"https://status.example.com/api/v2/summary.json"`
	Selector   string        `yaml:"selector" kind:"text" example:"\"#notices\""`
	Components []string      `yaml:"components" kind:"text" example:"[Messages, Login]"`
	Server     string        `yaml:"server" kind:"hostport" example:"imap.example.com:993"`
	User       string        `yaml:"user" kind:"text" example:"notices@example.com"`
	Folder     string        `yaml:"folder" kind:"text" default:"INBOX"`
	From       []string      `yaml:"from" kind:"text" example:"[status@messenger.example]"`
	Pattern    string        `yaml:"pattern" kind:"pattern" example:"maintenance|维护"`
	Zone       string        `yaml:"zone" kind:"zone" example:"Asia/Shanghai"`
	About      []string      `yaml:"about" kind:"id" ref:"components" example:"[messages]"`
	Level      string        `yaml:"level" kind:"word" of:"blue,yellow,orange,red" default:"yellow"`
	Every      time.Duration `yaml:"every" kind:"duration" default:"5m"`
	Auth       *Secret       `yaml:"auth"`
	Trust      *Trust        `yaml:"trust"`
}

// Calendar is a calendar to be read.
type Calendar struct {
	ID    string        `yaml:"id" kind:"id" required:"true" example:"promotions"`
	Kind  string        `yaml:"kind" kind:"word" of:"peaks,meetings,freeze" required:"true" example:"peaks"`
	URL   string        `yaml:"url" kind:"url" required:"true" example:"https://cal.example/promotions.ics"`
	Zone  string        `yaml:"zone" kind:"zone" example:"Asia/Shanghai"`
	Every time.Duration `yaml:"every" kind:"duration" default:"1h"`
	Auth  *Secret       `yaml:"auth"`
	Trust *Trust        `yaml:"trust"`
}

// Account is a test account for synthetic flows.
type Account struct {
	ID     string `yaml:"id" kind:"id" required:"true" example:"test-shopper"`
	User   string `yaml:"user" kind:"text" required:"true" example:"test-shopper@example.com"`
	Secret Secret `yaml:"secret" required:"true" example:"{secret: SHOPPER}"`
}
