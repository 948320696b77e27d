package plan

import (
	"slices"
	"time"
)

// Capture is how Holdfast makes the backups of one of the plan's sets of data.
type Capture struct {
	ID      string        `yaml:"id" kind:"id" ref:"backups" required:"true" example:"orders-live"`
	Kind    string        `yaml:"kind" kind:"word" of:"postgres,mysql,sqlite,folder,query,node,pgbackrest" required:"true" example:"postgres"`
	DSN     *Secret       `yaml:"dsn"`
	Path    string        `yaml:"path" kind:"path" example:"/srv/chats"`
	Stanza  string        `yaml:"stanza" kind:"text" example:"shop"`
	Tables  []string      `yaml:"tables" kind:"text" example:"[users, goods]"`
	Follow  *bool         `yaml:"follow" kind:"bool" example:"true"`
	Full    string        `yaml:"full" kind:"cron" default:"30 2 * * *"`
	Zone    string        `yaml:"zone" kind:"zone" example:"Asia/Shanghai"`
	Jitter  time.Duration `yaml:"jitter" kind:"duration" zero:"ok" default:"10m"`
	Queries []DataQuery   `yaml:"queries" ids:".queries"`
	Targets []string      `yaml:"targets" kind:"id" required:"true" example:"[nas, far]"`
}

// DataQuery is a query about data, and the one value that it must give.
type DataQuery struct {
	ID     string `yaml:"id" kind:"id" required:"true" example:"orphans"`
	SQL    string `yaml:"sql" kind:"text" required:"true" example:"select count(*) from lines where order_no is null"`
	Expect string `yaml:"expect" kind:"text" example:"\"0\""`
}

// Ways in which kinds of data are captured between full backups.
var (
	following   = []string{"mysql", "pgbackrest", "postgres"} // changes are seen as they happen
	incremental = []string{"folder", "sqlite"}                // what changed can be told from what did not
)

// realTime is how often a set is made whose changes are followed.
const realTime = time.Minute

// Follows says whether the changes of a set are followed as they happen.
func (c *Capture) Follows(b *Backup) bool {
	if c.Follow != nil {
		return *c.Follow
	}
	return b.Every <= realTime && slices.Contains(following, c.Kind)
}

// Increments says whether what changed is captured between full backups.
func (c *Capture) Increments() bool { return slices.Contains(incremental, c.Kind) }

// Captured is how a set of data is captured; nil: not by Holdfast.
func (p *Plan) Captured(id string) *Capture {
	if p.Tech == nil {
		return nil
	}
	for i := range p.Tech.Backups {
		if p.Tech.Backups[i].ID == id {
			return &p.Tech.Backups[i]
		}
	}
	return nil
}
