package plan

import (
	"reflect"
	"strings"
	"time"

	"holdfast/internal/yamldoc"
)

// Scenario is a failure that was thought through before it happens.
type Scenario struct {
	ID       string   `yaml:"id" kind:"id" required:"true" example:"database-gone"`
	Name     Text     `yaml:"name" required:"true" example:"{en: Database gone, zh: 数据库不可用}"`
	About    Text     `yaml:"about"`
	Causes   []string `yaml:"causes" kind:"word" of:"provider,network,browser,compatibility,migration,operator,security,hardware,software,load,attack,maintenance" required:"true" example:"[hardware]"`
	Partial  bool     `yaml:"partial" kind:"bool" default:"false"`
	Scope    string   `yaml:"scope" kind:"word" of:"one,office,everyone" default:"everyone"`
	Hits     []string `yaml:"hits" kind:"id" ref:"impact|components" example:"[order-intake]"`
	Trigger  *Trigger `yaml:"trigger"`
	Grade    string   `yaml:"grade" kind:"grade" ref:"grades" required:"true" example:"SEV-1"`
	Runbook  string   `yaml:"runbook" kind:"id" ref:"runbooks" required:"true" example:"bring-back-orders"`
	Selfhelp []string `yaml:"selfhelp" kind:"id" ref:"selfhelp"`
	Channels []string `yaml:"channels" kind:"id" ref:"channels" example:"[standby-mail]"`
}

// Causes are the kinds of cause that a scenario, and an incident at its end, may have.
func Causes() []string {
	field, _ := reflect.TypeFor[Scenario]().FieldByName("Causes")
	return strings.Split(field.Tag.Get("of"), ",")
}

// Trigger says what starts a scenario. Exactly one of its parts is there.
type Trigger struct {
	Check   string        `yaml:"check" kind:"id" ref:"checks" example:"database"`
	State   string        `yaml:"state" kind:"word" of:"degraded,down,unknown" default:"down"`
	Warning string        `yaml:"warning" kind:"id" ref:"warnings|slos" example:"orders-slow"`
	Level   string        `yaml:"level" kind:"word" of:"blue,yellow,orange,red" default:"yellow"`
	Reports int64         `yaml:"reports" kind:"int" min:"1" example:"3"`
	Within  time.Duration `yaml:"within" kind:"duration" default:"10m"`
	Notice  string        `yaml:"notice" kind:"id" ref:"providers" example:"messenger-inc"`
	Window  string        `yaml:"window" kind:"word" of:"starts,overruns" example:"overruns"`
	Person  bool          `yaml:"person" kind:"bool" default:"false"`
}

// Runbook is what is done, step by step.
type Runbook struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"bring-back-orders"`
	Name  Text   `yaml:"name"`
	About Text   `yaml:"about"`
	Steps []Step `yaml:"steps" ids:".steps" required:"true"`
}

// Step is one act of a runbook: something a person does, or an action.
type Step struct {
	ID     string        `yaml:"id" kind:"id" required:"true" example:"hold"`
	Say    Text          `yaml:"say" example:"{en: Call the carrier, zh: 致电承运商}"`
	Do     string        `yaml:"do" kind:"action" example:"relay.hold"`
	With   yamldoc.Raw   `yaml:"with" example:"{route: orders}"`
	Run    string        `yaml:"run" kind:"id" ref:"runbooks" example:"isolate"`
	Owner  string        `yaml:"owner" kind:"person" ref:"roles" required:"true" example:"technical"`
	After  []string      `yaml:"after" kind:"id" example:"[hold]"`
	Within time.Duration `yaml:"within" kind:"duration" example:"5m"`
	Before *Condition    `yaml:"before"`
	IfNot  string        `yaml:"if_not" kind:"word" of:"stop,escalate,go-on" default:"escalate"`
	Else   string        `yaml:"else" kind:"id" ref:"runbooks" example:"restore-orders"`
	Tags   []string      `yaml:"tags" kind:"word" of:"isolate,recover" example:"[isolate]"`
	Typed  string        `yaml:"typed" kind:"text" example:"drop orders"`
	Proof  *Proof        `yaml:"proof"`
}

// Condition is what must be so before a step begins. Exactly one of its first two
// fields is there.
type Condition struct {
	Check string `yaml:"check" kind:"id" ref:"checks" example:"database"`
	Query string `yaml:"query" kind:"text" example:"sum(orders_open) == 0"`
	Via   string `yaml:"via" kind:"word" of:"relay,direct" default:"relay"`
}

// Proof is what shows that a step did what it should.
type Proof struct {
	Check     string `yaml:"check" kind:"id" ref:"checks" example:"order-totals"`
	Via       string `yaml:"via" kind:"word" of:"relay,direct" default:"relay"`
	Checklist string `yaml:"checklist" kind:"id" ref:"checklists"`
}

// Checklist is what people tick off.
type Checklist struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"before-window"`
	Name  Text   `yaml:"name" required:"true" example:"Before the window"`
	Owner string `yaml:"owner" kind:"person" ref:"roles" example:"technical"`
	Items []Item `yaml:"items" ids:".items" required:"true"`
}

// Item is a line of a checklist.
type Item struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"backup-done"`
	Say   Text   `yaml:"say" required:"true" example:"the backup is there and was opened"`
	Owner string `yaml:"owner" kind:"person" ref:"roles"`
	// What Holdfast sees by itself: that a check is up, or that a channel was tested as
	// often as it has to be.
	Check   string `yaml:"check" kind:"id" ref:"checks" example:"backup-fresh"`
	Channel string `yaml:"channel" kind:"id" ref:"channels" example:"standby-mail"`
}

// Selfhelp is a guide for who has the trouble.
type Selfhelp struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"no-login-code"`
	Name  Text   `yaml:"name" required:"true" example:"No login code arrives"`
	For   string `yaml:"for" kind:"id" ref:"audiences" example:"staff"`
	Steps []Text `yaml:"steps" required:"true"`
}

// Role is who decides and does. Whoever is on call by its rotas leads, else the
// first of its people.
type Role struct {
	Name   Text     `yaml:"name"`
	People []string `yaml:"people" kind:"person" ref:"people" required:"true" example:"[li.wei, zhang.min]"`
	Rota   []string `yaml:"rota" kind:"id" ref:"rotas" example:"engineers"`
	May    []string `yaml:"may" kind:"word" of:"declare,grade,switch,publish,restore,look-up,spend,approve,close" example:"[switch, publish]"`
	Duties Text     `yaml:"duties"`
	Under  string   `yaml:"under" kind:"id" ref:"roles" example:"commander"`
}

// Rota is who is on call in turn.
type Rota struct {
	ID       string        `yaml:"id" kind:"id" required:"true" example:"engineers"`
	Name     Text          `yaml:"name"`
	People   []string      `yaml:"people" kind:"person" ref:"people" required:"true" example:"[wu.hao, sun.yu]"`
	Every    Period        `yaml:"every" kind:"period" default:"1w"`
	Starts   string        `yaml:"starts" kind:"date" required:"true" example:"2026-01-05"`
	Handover time.Duration `yaml:"handover" kind:"clock" default:"09:00"`
	Zone     string        `yaml:"zone" kind:"zone" example:"Asia/Shanghai"`
	Hours    []RotaHours   `yaml:"hours"`
}

// RotaHours is a stretch of the week for which a rota is there.
type RotaHours struct {
	Days []string      `yaml:"days" kind:"word" of:"mon,tue,wed,thu,fri,sat,sun" example:"[mon, tue, wed, thu, fri]"`
	From time.Duration `yaml:"from" kind:"clock" required:"true" example:"09:00"`
	To   time.Duration `yaml:"to" kind:"clock" required:"true" example:"18:00"`
}

// Team is a group with a field of its own.
type Team struct {
	Name   Text     `yaml:"name"`
	Kind   string   `yaml:"kind" kind:"word" of:"technical,business,logistics,customer-service,legal,management" example:"technical"`
	Lead   string   `yaml:"lead" kind:"person" ref:"people" required:"true" example:"chen.jie"`
	Roles  []string `yaml:"roles" kind:"id" ref:"roles" example:"[technical]"`
	People []string `yaml:"people" kind:"person" ref:"people" example:"[wu.hao]"`
}

// Audience is who is told.
type Audience struct {
	Name       Text          `yaml:"name"`
	Kind       string        `yaml:"kind" kind:"word" of:"staff,executives,customers,key-customers,partners,regulator" required:"true" example:"customers"`
	Channels   []string      `yaml:"channels" kind:"id" ref:"channels" required:"true" example:"[site, sms]"`
	Teams      []string      `yaml:"teams" kind:"id" ref:"teams"`
	Languages  []string      `yaml:"languages" kind:"word" of:"en,zh" default:"zh"`
	From       string        `yaml:"from" kind:"grade" ref:"grades" example:"SEV-2"`
	LegalClock time.Duration `yaml:"legal_clock" kind:"duration" example:"72h"`
}

// Channel is a way to reach people.
type Channel struct {
	ID       string   `yaml:"id" kind:"id" required:"true" example:"standby-mail"`
	Name     Text     `yaml:"name"`
	Kind     string   `yaml:"kind" kind:"word" of:"mail,sms,phone,wecom,dingtalk,feishu,wechat,telegram,slack,webhook,site,social,board,meeting,hotline,messenger" required:"true" example:"mail"`
	How      Text     `yaml:"how" example:"{en: \"help@standby.example, password on the door\", zh: \"help@standby.example，密码贴在门上\"}"`
	Standby  bool     `yaml:"standby" kind:"bool" default:"false"`
	Next     string   `yaml:"next" kind:"id" ref:"channels" example:"sms"`
	Answers  string   `yaml:"autoreply" kind:"id" ref:"audiences" example:"customers"`
	Devices  []string `yaml:"devices" kind:"word" of:"mobile,desktop" example:"[mobile, desktop]"`
	Provider string   `yaml:"provider" kind:"id" ref:"providers"`
	Owner    string   `yaml:"owner" kind:"person" ref:"roles|people"`
	Test     *Trial   `yaml:"test"`
}

// Tool is what people work with when the usual one is down.
type Tool struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"conference"`
	Name  Text   `yaml:"name" required:"true" example:"Video conference"`
	For   Text   `yaml:"for" required:"true" example:"important talks"`
	How   Text   `yaml:"how" example:"room 8826, number +86 400 670 1234"`
	Owner string `yaml:"owner" kind:"person" ref:"roles|people"`
	Test  *Trial `yaml:"test" required:"true"`
}

// Trial is the regular test of what is seldom used.
type Trial struct {
	Every Period `yaml:"every" kind:"period" required:"true" example:"1mo"`
	By    string `yaml:"by" kind:"person" ref:"roles|people" required:"true" example:"technical"`
	How   Text   `yaml:"how" example:"send to all department heads, each answers"`
}

// Resource is what recovery needs.
type Resource struct {
	ID    string `yaml:"id" kind:"id" required:"true" example:"spare-server"`
	Name  Text   `yaml:"name" required:"true" example:"Spare server"`
	Kind  string `yaml:"kind" kind:"word" of:"hardware,software,network,people,information,place" required:"true" example:"hardware"`
	Count int64  `yaml:"count" kind:"int" min:"1" default:"1"`
	Where Text   `yaml:"where" example:"rack 3, second room"`
	Owner string `yaml:"owner" kind:"person" ref:"roles|people" required:"true" example:"technical"`
	Check Period `yaml:"check_every" kind:"period" default:"6mo"`
}

// Template is a message that was written before it is needed.
type Template struct {
	ID       string `yaml:"id" kind:"id" required:"true" example:"holding-statement"`
	Audience string `yaml:"audience" kind:"word" of:"staff,executives,customers,key-customers,partners,regulator" required:"true" example:"customers"`
	Phase    string `yaml:"phase" kind:"word" of:"notice,start,changed,first,update,overrun,end,cancelled,compensation,all-clear" required:"true" example:"first"`
	Subject  Text   `yaml:"subject"`
	Text     Text   `yaml:"text" required:"true" example:"{zh: \"{service} 暂时不可用，预计 {expected} 恢复。\"}"`
}
