package plan

import "time"

// Rollout is how one of the plan's upgrades is carried out, guarded and undone.
type Rollout struct {
	ID        string      `yaml:"id" kind:"id" ref:"upgrades" required:"true" example:"order-system"`
	Needs     *Needs      `yaml:"needs"`
	Intake    []Intake    `yaml:"intake"`
	Version   *Call       `yaml:"version" required:"true" example:"shop-version"`
	Code      Code        `yaml:"code" required:"true"`
	Migration *Migration  `yaml:"migration"`
	Data      *Compared   `yaml:"data"`
	Watch     []Threshold `yaml:"watch" ids:".watch"`
	Traffic   Traffic     `yaml:"traffic"`
	Undo      Undo        `yaml:"undo"`
}

// Call is a command of the node's list of allowed ones. {version} in a value is the
// version that is to run; of a migration's commands, {copy} is the copy on which it is
// tried, and nothing where it is not.
type Call struct {
	Command string            `yaml:"command" kind:"id" short:"true" required:"true" example:"shop-put"`
	With    map[string]string `yaml:"with" kind:"text" names:"id" example:"{release: \"{version}\"}"`
}

// Needs is what must be so before an upgrade begins.
type Needs struct {
	CPU      int64     `yaml:"cpu" kind:"int" min:"1" max:"4096" example:"2"`
	Memory   int64     `yaml:"memory" kind:"size" example:"2GiB"`
	Disk     []Space   `yaml:"disk"`
	Kernel   string    `yaml:"kernel" kind:"versions" example:"\">= 5.10\""`
	Programs []Program `yaml:"programs" ids:".programs"`
	Ports    []string  `yaml:"ports" kind:"hostport" example:"\"127.0.0.1:9002\""`
	Peers    []Peer    `yaml:"peers"`
	Database *Server   `yaml:"database"`
	Trained  []string  `yaml:"trained" kind:"id" ref:"training" example:"[standby-tools]"`
	OnDuty   []string  `yaml:"on_duty" kind:"id" ref:"roles" example:"[technical]"`
}

// Space is what must be free on a disk.
type Space struct {
	Path   string  `yaml:"path" kind:"path" required:"true" example:"/var/lib/postgresql"`
	Free   int64   `yaml:"free" kind:"size" example:"20GiB"`
	OfData float64 `yaml:"of_data" kind:"figure" example:"150%"`
}

// Program is a program or library whose version counts.
type Program struct {
	ID       string `yaml:"id" kind:"id" required:"true" example:"libpq"`
	Shown    Call   `yaml:"shown_by" required:"true" example:"libpq-version"`
	Versions string `yaml:"versions" kind:"versions" required:"true" example:"\">= 15\""`
}

// Peer is another machine that is reached fast and surely enough.
type Peer struct {
	Address string        `yaml:"address" kind:"hostport" required:"true" example:"\"10.0.1.6:6379\""`
	RTT     time.Duration `yaml:"rtt" kind:"duration" default:"50ms"`
	Loss    float64       `yaml:"loss" kind:"percent" default:"1%"`
}

// Server is with which versions of the database's server each release works.
type Server struct {
	Old string `yaml:"old_release" kind:"versions" required:"true" example:"\">= 13\""`
	New string `yaml:"new_release" kind:"versions" required:"true" example:"\">= 15, < 18\""`
}

// Intake is what becomes of what arrives meanwhile, and how much of it there may be.
type Intake struct {
	Route   string        `yaml:"route" kind:"id" ref:"routes" required:"true" example:"orders"`
	Mode    string        `yaml:"mode" kind:"word" of:"hold,divert" default:"hold"`
	Longest time.Duration `yaml:"longest" kind:"duration" default:"30m"`
	Count   int64         `yaml:"count" kind:"int" min:"1" example:"50000"`
	Bytes   int64         `yaml:"bytes" kind:"size" example:"1GiB"`
}

// Code is how a version is put in place.
type Code struct {
	Stop  *Call `yaml:"stop" example:"shop-stop"`
	Put   Call  `yaml:"put" required:"true" example:"{command: shop-put, with: {release: \"{version}\"}}"`
	Start *Call `yaml:"start" example:"shop-start"`
}

// Migration is how the data get the form that a version wants.
type Migration struct {
	Up     Call          `yaml:"up" required:"true" example:"{command: shop-migrate, with: {to: \"{version}\"}}"`
	Down   *Call         `yaml:"down" example:"{command: shop-migrate-back, with: {to: \"{version}\"}}"`
	Status *Call         `yaml:"status" example:"shop-schema"`
	Within time.Duration `yaml:"within" kind:"duration" default:"30m"`
}

// Compared is what is compared before and after each step.
type Compared struct {
	Kind       string      `yaml:"kind" kind:"word" of:"postgres,mysql,sqlite" required:"true" example:"postgres"`
	DSN        Secret      `yaml:"dsn" required:"true" example:"{secret: SHOP_DSN}"`
	Tables     []Kept      `yaml:"tables"`
	Invariants []Invariant `yaml:"invariants" ids:".invariants"`
}

// Kept is a table whose rows an upgrade leaves as they are.
type Kept struct {
	Table   string   `yaml:"table" kind:"text" required:"true" example:"orders"`
	Columns []string `yaml:"columns" kind:"text" example:"[order_no, amount]"`
	Rows    string   `yaml:"rows" kind:"word" of:"same,more,any" default:"same"`
}

// Invariant is a query whose value an upgrade leaves as it was, or as it must be.
type Invariant struct {
	ID     string `yaml:"id" kind:"id" required:"true" example:"total"`
	SQL    string `yaml:"sql" kind:"text" required:"true" example:"select sum(amount) from orders"`
	After  string `yaml:"after" kind:"text" example:"select sum(cents) / 100 from orders"`
	Expect string `yaml:"expect" kind:"text" example:"\"0\""`
}

// Threshold is a figure that is looked at all the time. Exactly one of over, under and
// times is there.
type Threshold struct {
	ID    string        `yaml:"id" kind:"id" required:"true" example:"failing"`
	Query string        `yaml:"promql" kind:"text" required:"true" example:"sum(rate(shop_errors_total[1m]))"`
	Over  *float64      `yaml:"over" kind:"figure" example:"1"`
	Under *float64      `yaml:"under" kind:"figure" example:"99%"`
	Times *float64      `yaml:"times" kind:"figure" example:"150%"`
	For   time.Duration `yaml:"for" kind:"duration" default:"30s"`
}

// Traffic is how much worse than before the relay may find the service.
type Traffic struct {
	Errors float64 `yaml:"errors" kind:"percent" default:"1%"`
	Slower float64 `yaml:"slower" kind:"figure" default:"200%"`
}

// Undo is how data are brought back, and how much may be undone.
type Undo struct {
	Data    string        `yaml:"data" kind:"word" of:"down,backup,faster,none" default:"backup"`
	Most    time.Duration `yaml:"most" kind:"duration" default:"1h"`
	Records int64         `yaml:"records" kind:"int" min:"1" example:"5000"`
	Times   int64         `yaml:"times" kind:"int" min:"1" max:"3" default:"3"`
}

// Carried is how an upgrade is carried out; nil: not by Holdfast.
func (p *Plan) Carried(id string) *Rollout {
	if p.Tech == nil {
		return nil
	}
	for i := range p.Tech.Upgrades {
		if p.Tech.Upgrades[i].ID == id {
			return &p.Tech.Upgrades[i]
		}
	}
	return nil
}
