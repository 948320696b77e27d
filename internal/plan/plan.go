package plan

import (
	"time"

	"holdfast/internal/yamldoc"
)

// Plan is what the business decided for one service.
type Plan struct {
	Schema      string `yaml:"schema" kind:"word" of:"holdfast/plan@1" required:"true" example:"holdfast/plan@1"`
	ID          string `yaml:"id" kind:"id" required:"true" example:"orders"`
	Name        Text   `yaml:"name" required:"true" example:"{en: Order processing, zh: 电商订单处理}"`
	Owner       string `yaml:"owner" kind:"person" ref:"people" required:"true" example:"li.wei"`
	Profile     string `yaml:"profile" kind:"word" of:"full,small" default:"full"`
	ReviewEvery Period `yaml:"review_every" kind:"period" default:"6mo"`

	Service      Service       `yaml:"service"`
	Components   []Component   `yaml:"components" ids:"components"`
	Impact       []Process     `yaml:"impact" required:"true" ids:"impact"`
	Interim      []Interim     `yaml:"interim" ids:"interim" used:"true" full:"true"`
	Dependencies []Dependency  `yaml:"dependencies" ids:"dependencies"`
	Providers    []Provider    `yaml:"providers" ids:"providers"`
	Flows        []BusinessWay `yaml:"flows" ids:"flows"`

	Grades   map[string]*Grade `yaml:"grades" names:"grade" ids:"grades" required:"true"`
	Warnings []WarningRule     `yaml:"warnings" ids:"warnings"`
	Reports  *Reports          `yaml:"staff_reports"`
	SLOs     []SLO             `yaml:"slos" ids:"slos"`

	Scenarios  []Scenario  `yaml:"scenarios" required:"true" ids:"scenarios"`
	Runbooks   []Runbook   `yaml:"runbooks" required:"true" ids:"runbooks" used:"true"`
	Checklists []Checklist `yaml:"checklists" ids:"checklists" used:"true"`
	Selfhelp   []Selfhelp  `yaml:"selfhelp" ids:"selfhelp" used:"true"`

	Roles     map[string]*Role     `yaml:"roles" names:"id" required:"true" ids:"roles"`
	Rotas     []Rota               `yaml:"rotas" ids:"rotas" used:"true"`
	Teams     map[string]*Team     `yaml:"teams" names:"id" ids:"teams"`
	Audiences map[string]*Audience `yaml:"audiences" names:"id" ids:"audiences" full:"true"`
	Channels  []Channel            `yaml:"channels" required:"true" ids:"channels" used:"true"`
	Tools     []Tool               `yaml:"tools" ids:"tools"`
	Resources []Resource           `yaml:"resources" ids:"resources"`
	Templates []Template           `yaml:"templates" ids:"templates"`

	Maintenance  *Maintenance  `yaml:"maintenance"`
	Backups      []Backup      `yaml:"backups" ids:"backups"`
	Upgrades     []Upgrade     `yaml:"upgrades" ids:"upgrades"`
	Drills       []Drill       `yaml:"drills" ids:"drills" full:"true"`
	Training     []Training    `yaml:"training" ids:"training" full:"true"`
	Compensation *Compensation `yaml:"compensation"`

	File   string `json:"-"` // it was read from
	Tech   *Tech  `json:"-"` // nil: there is no technical file
	Partly bool   `json:"-"` // something in its files could not be read, and is as if it were absent

	// Files are the texts of files that the technical file names, by the names it
	// has for them. Parse leaves them to whoever knows where they are.
	Files map[string]string `json:"-"`

	Places yamldoc.Places `json:"-"` // of what stands in the file
}

// Service is what the plan protects.
type Service struct {
	About    Text    `yaml:"about"`
	Provider string  `yaml:"provider" kind:"id" ref:"providers" example:"messenger-inc"`
	Hours    []Hours `yaml:"hours"`
	Zone     string  `yaml:"zone" kind:"zone" default:"Asia/Shanghai"`
	Closed   bool    `yaml:"closed" kind:"bool" default:"false"`
}

// Hours is a stretch of the week.
type Hours struct {
	Days []string      `yaml:"days" kind:"word" of:"mon,tue,wed,thu,fri,sat,sun,workdays,holidays" example:"[mon, tue, wed, thu, fri]"`
	From time.Duration `yaml:"from" kind:"clock" required:"true" example:"08:30"`
	To   time.Duration `yaml:"to" kind:"clock" required:"true" example:"18:00"`
}

// Component is a part of the service that can fail by itself.
type Component struct {
	ID        string   `yaml:"id" kind:"id" required:"true" example:"database"`
	Name      Text     `yaml:"name"`
	DependsOn []string `yaml:"depends_on" kind:"id" ref:"components" example:"[database]"`
	Provider  string   `yaml:"provider" kind:"id" ref:"providers"`
	Checks    []string `yaml:"checks" kind:"id" ref:"checks" example:"[database]"`
	Owner     string   `yaml:"owner" kind:"person" ref:"roles|people" example:"technical"`
}

// Process is a row of the business impact analysis.
type Process struct {
	Process    string        `yaml:"process" kind:"id" required:"true" example:"order-intake"`
	Name       Text          `yaml:"name"`
	Department Text          `yaml:"department" required:"true" example:"{en: sales, zh: 销售部}"`
	MTD        time.Duration `yaml:"mtd" kind:"duration" required:"true" example:"4h"`
	RTO        time.Duration `yaml:"rto" kind:"duration" required:"true" example:"30m"`
	RPO        time.Duration `yaml:"rpo" kind:"duration" zero:"ok" required:"true" example:"1s"`
	Loss       Loss          `yaml:"loss" kind:"loss" example:"20000 CNY/h"`
	OverTime   []Stage       `yaml:"over_time"`
	Effects    []string      `yaml:"effects" kind:"word" of:"operations,stability,reputation,transactions,trust,accounts,cost,legal" example:"[operations, trust]"`
	Dependence string        `yaml:"dependence" kind:"word" of:"high,medium,low" default:"medium"`
	Needs      []string      `yaml:"needs" kind:"id" ref:"components|dependencies|resources" example:"[database]"`
	Meanwhile  string        `yaml:"meanwhile" kind:"id" ref:"interim" example:"phone-orders"`
}

// Stage is what an outage has cost after a time.
type Stage struct {
	After time.Duration `yaml:"after" kind:"duration" required:"true" example:"1h"`
	Loss  Money         `yaml:"loss" kind:"money" example:"50000 CNY"`
	Says  Text          `yaml:"says" example:"customers order elsewhere"`
}

// Interim is how a department works while the service is down.
type Interim struct {
	ID         string        `yaml:"id" kind:"id" required:"true" example:"phone-orders"`
	Name       Text          `yaml:"name"`
	How        Text          `yaml:"how" required:"true" example:"orders come by phone, on paper forms"`
	Checklist  string        `yaml:"checklist" kind:"id" ref:"checklists"`
	ApprovedBy string        `yaml:"approved_by" kind:"person" ref:"roles|people" required:"true" example:"commander"`
	ApprovedOn string        `yaml:"approved_on" kind:"date" required:"true" example:"2026-03-02"`
	Lasts      time.Duration `yaml:"lasts" kind:"duration" example:"3d"`
}

// Dependency is what the service needs and does not own.
type Dependency struct {
	ID       string        `yaml:"id" kind:"id" required:"true" example:"carrier-api"`
	Name     Text          `yaml:"name"`
	Plan     string        `yaml:"plan" kind:"id" example:"payments"`
	Provider string        `yaml:"provider" kind:"id" ref:"providers"`
	Strength string        `yaml:"strength" kind:"word" of:"stops,slows,bears" default:"stops"`
	Bears    time.Duration `yaml:"bears" kind:"duration" example:"2h"`
	IfGone   Text          `yaml:"if_gone"`
	Checks   []string      `yaml:"checks" kind:"id" ref:"checks"`
}

// Provider is who runs what the company does not.
type Provider struct {
	ID       string   `yaml:"id" kind:"id" required:"true" example:"messenger-inc"`
	Name     Text     `yaml:"name" required:"true" example:"Messenger Inc."`
	Phone    string   `yaml:"phone" kind:"phone" example:"\"4006701234\""`
	Mail     string   `yaml:"mail" kind:"mail" example:"support@example.com"`
	Site     string   `yaml:"site" kind:"url" example:"https://status.example.com"`
	Contract string   `yaml:"contract" kind:"text"`
	Promises float64  `yaml:"promises" kind:"availability" example:"99.9%"`
	Rated    []string `yaml:"rated_by" kind:"word" of:"availability,notice,response,recovery,compensation,communication" example:"[availability, response]"`
	Assess   Period   `yaml:"assess_every" kind:"period" default:"1y"`
}

// BusinessWay is how one kind of business reaches the service: by a route of
// the relay, or by no wire that could hold it.
type BusinessWay struct {
	ID      string `yaml:"id" kind:"id" required:"true" example:"web-orders"`
	Name    Text   `yaml:"name"`
	Process string `yaml:"process" kind:"id" ref:"impact" example:"order-intake"`
	Route   string `yaml:"route" kind:"id" ref:"routes" example:"orders"`
	Wire    string `yaml:"wire" kind:"word" of:"relay,none" default:"relay"`
	Instead string `yaml:"instead" kind:"id" ref:"interim" example:"phone-orders"`
}

// Grade is how hard something hits, and what is promised then.
type Grade struct {
	Name         Text          `yaml:"name"`
	When         Text          `yaml:"when" example:"no order can be placed"`
	Recover      time.Duration `yaml:"recover_within" kind:"duration" required:"true" example:"30m"`
	FirstMessage time.Duration `yaml:"first_message_within" kind:"duration" default:"5m"`
	Scope        time.Duration `yaml:"scope_within" kind:"duration" default:"10m"`
	Update       time.Duration `yaml:"update_every" kind:"duration" default:"20m"`
	Escalate     time.Duration `yaml:"escalate_after" kind:"duration" default:"5m"`
	Review       time.Duration `yaml:"review_within" kind:"duration" default:"5d"`
}
