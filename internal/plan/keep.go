package plan

import "time"

// Maintenance is how the service may be worked on.
type Maintenance struct {
	LowTraffic []Hours         `yaml:"low_traffic"`
	Longest    time.Duration   `yaml:"longest" kind:"duration" example:"2h"`
	Notices    []time.Duration `yaml:"notices" kind:"duration" example:"[5d, 3d, 1d, 1h]"`
	Emergency  []time.Duration `yaml:"emergency_notices" kind:"duration" example:"[1h]"`
	Contact    Text            `yaml:"contact" example:"{en: Duty phone +86 10 5550 0000, zh: 值班电话 +86 10 5550 0000}"`
	Tell       []string        `yaml:"tell" kind:"id" ref:"audiences" required:"true" example:"[staff, customers]"`
	Ready      string          `yaml:"ready" kind:"id" ref:"checklists" example:"before-window"`
	Done       string          `yaml:"done" kind:"id" ref:"checklists" example:"after-window"`
	Runbook    string          `yaml:"runbook" kind:"id" ref:"runbooks"`
	Overrun    string          `yaml:"overrun" kind:"id" ref:"scenarios" example:"window-overruns"`
	Batches    []float64       `yaml:"batches" kind:"percent" example:"[10%, 50%, 100%]"`
	During     []During        `yaml:"during"`
	Uploads    []Uploads       `yaml:"uploads"`
	Complete   *Completion     `yaml:"complete"`
	Verify     []Verification  `yaml:"verify"`
	Readmit    *Readmission    `yaml:"readmit"`
	Feedback   *Vendor         `yaml:"feedback"`
	Review     time.Duration   `yaml:"review_within" kind:"duration" default:"5d"`
	Tasks      []Task          `yaml:"tasks" ids:".tasks"`
}

// Task is preventive work.
type Task struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"update-clients"`
	Say   Text   `yaml:"say" required:"true" example:"update the clients"`
	Every Period `yaml:"every" kind:"period" required:"true" example:"1mo"`
	Owner string `yaml:"owner" kind:"person" ref:"roles|people" required:"true" example:"technical"`
}

// Backup is a set of data that is kept twice.
type Backup struct {
	ID      string        `yaml:"id" kind:"id" required:"true" example:"orders-live"`
	Name    Text          `yaml:"name"`
	Of      string        `yaml:"of" kind:"id" ref:"components" example:"database"`
	Holds   []string      `yaml:"holds" kind:"word" of:"orders,transactions,users,goods,logs,contacts,chats,files,settings" required:"true" example:"[orders, transactions]"`
	Every   time.Duration `yaml:"every" kind:"duration" zero:"ok" required:"true" example:"24h"`
	Keep    Period        `yaml:"keep" kind:"period" required:"true" example:"1mo"`
	Proven  int64         `yaml:"keep_proven" kind:"int" min:"1" max:"1000" default:"3"`
	Copies  []string      `yaml:"copies" kind:"word" of:"local,remote" required:"true" example:"[local, remote]"`
	Encrypt bool          `yaml:"encrypt" kind:"bool" default:"true"`
	Verify  Period        `yaml:"verify_every" kind:"period" default:"1mo"`
	Aside   time.Duration `yaml:"keep_aside" kind:"duration" example:"14d"`
	Restore string        `yaml:"restore" kind:"id" ref:"runbooks" required:"true" example:"restore-orders"`
	Owner   string        `yaml:"owner" kind:"person" ref:"roles|people" required:"true" example:"technical"`
}

// Upgrade is how a component gets a new version, and back.
type Upgrade struct {
	ID       string        `yaml:"id" kind:"id" required:"true" example:"order-system"`
	Name     Text          `yaml:"name"`
	Of       string        `yaml:"of" kind:"id" ref:"components" required:"true" example:"app"`
	Before   string        `yaml:"before" kind:"id" ref:"checklists" required:"true" example:"before-upgrade"`
	Backups  []string      `yaml:"backups" kind:"id" ref:"backups" required:"true" example:"[orders-live]"`
	Fresh    time.Duration `yaml:"fresh" kind:"duration" default:"1h"`
	Runbook  string        `yaml:"runbook" kind:"id" ref:"runbooks" required:"true" example:"upgrade"`
	Watch    []string      `yaml:"watch" kind:"id" ref:"checks|warnings|slos" example:"[place-order]"`
	Bake     time.Duration `yaml:"bake" kind:"duration" default:"24h"`
	RollBack string        `yaml:"roll_back" kind:"id" ref:"runbooks" required:"true" example:"roll-back"`
}

// Drill is a rehearsal.
type Drill struct {
	ID        string   `yaml:"id" kind:"id" required:"true" example:"quarterly"`
	Name      Text     `yaml:"name"`
	Kind      string   `yaml:"kind" kind:"word" of:"tabletop,functional,full-scale" required:"true" example:"functional"`
	Every     Period   `yaml:"every" kind:"period" required:"true" example:"3mo"`
	Scenarios []string `yaml:"scenarios" kind:"id" ref:"scenarios" required:"true" example:"[database-gone]"`
	Teams     []string `yaml:"teams" kind:"id" ref:"teams"`
	Lead      string   `yaml:"lead" kind:"person" ref:"roles|people" required:"true" example:"commander"`
	Observer  string   `yaml:"observer" kind:"text" example:"audit department"`
	Judged    []string `yaml:"judged_by" kind:"word" of:"response,recovery,resources,coordination,satisfaction" example:"[response, recovery]"`
}

// Training is what people must have learned.
type Training struct {
	ID    string   `yaml:"id" kind:"id" required:"true" example:"standby-tools"`
	Name  Text     `yaml:"name" required:"true" example:"Standby tools"`
	Roles []string `yaml:"roles" kind:"id" ref:"roles" required:"true" example:"[commander, technical]"`
	Every Period   `yaml:"every" kind:"period" default:"1y"`
	Proof Text     `yaml:"proof" example:"a written test"`
}

// Compensation is what customers get.
type Compensation struct {
	About   Text   `yaml:"about"`
	Approve string `yaml:"approve" kind:"id" ref:"roles" required:"true" example:"commander"`
	Rules   []Gift `yaml:"rules" required:"true" ids:"compensation.rules"`
}

// Gift is one rule of compensation.
type Gift struct {
	ID     string        `yaml:"id" kind:"id" required:"true" example:"late-order"`
	For    string        `yaml:"for" kind:"id" ref:"audiences" required:"true" example:"customers"`
	After  time.Duration `yaml:"after" kind:"duration" required:"true" example:"1h"`
	Give   string        `yaml:"give" kind:"word" of:"coupon,points,refund" required:"true" example:"coupon"`
	Value  Money         `yaml:"value" kind:"money" example:"20 CNY"`
	Points int64         `yaml:"points" kind:"int" min:"1" example:"200"`
}
