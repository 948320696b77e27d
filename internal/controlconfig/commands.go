package controlconfig

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"holdfast/internal/yamldoc"
)

// Command is a program of this machine that steps of runbooks may have run.
type Command struct {
	ID      string            `yaml:"id" kind:"id" required:"true" example:"restart-shop"`
	Argv    []string          `yaml:"argv" kind:"text" required:"true" example:"[/usr/bin/systemctl, restart, \"{unit}\"]"`
	Params  map[string]string `yaml:"params" kind:"text" names:"id" example:"{unit: \"shop(-[a-z]+)?\"}"`
	User    string            `yaml:"user" kind:"text" example:"shop"`
	Folder  string            `yaml:"folder" kind:"file" example:"/srv/shop"`
	Env     map[string]string `yaml:"env" kind:"text" names:"text" example:"{SHOP_REGION: cn-1}"`
	Secrets map[string]string `yaml:"secrets" kind:"text" names:"text" example:"{SHOP_TOKEN: SHOP_ADMIN}"`
	Timeout time.Duration     `yaml:"timeout" kind:"duration" default:"10m"`
	CPU     time.Duration     `yaml:"cpu" kind:"duration" default:"5m"`
	Memory  int64             `yaml:"memory" kind:"size" default:"1GiB"`
	Files   int64             `yaml:"files" kind:"int" min:"8" max:"65536" default:"256"`
	Many    int64             `yaml:"processes" kind:"int" min:"1" max:"1000000" example:"200"`
	Size    int64             `yaml:"size" kind:"size" default:"1GiB"`
	Output  int64             `yaml:"output" kind:"size" default:"64KiB"`
}

var (
	argument = regexp.MustCompile(`^\{([a-z][a-z0-9_-]*)\}$`)
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// mostOutput bounds what is kept of what a command writes.
const mostOutput = 1 << 20

// checkCommands reports what is wrong with commands: each parameter stands for a whole
// argument and has a pattern.
func (c *Control) checkCommands(f *yamldoc.Findings, at yamldoc.Places) {
	seen := map[string]bool{}
	for i := range c.Commands {
		cmd, where := &c.Commands[i], fmt.Sprintf("commands[%d]", i)
		if cmd.ID != "" && seen[cmd.ID] {
			f.Error(at.At(where+".id"), "controlconfig.twice", "id", cmd.ID)
		}
		seen[cmd.ID] = true
		if cmd.Many > 0 && cmd.User == "" {
			f.Error(at.At(where+".processes"), "controlconfig.command-processes")
		}
		used := map[string]bool{}
		for j, arg := range cmd.Argv {
			m := argument.FindStringSubmatch(arg)
			switch {
			case j == 0 && !filepath.IsAbs(arg):
				f.Error(at.At(where+".argv"), "controlconfig.command-path", "value", arg)
			case m != nil && cmd.Params[m[1]] == "":
				f.Error(at.At(where+".argv"), "controlconfig.command-pattern", "name", m[1])
			case m != nil:
				used[m[1]] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(cmd.Params)) {
			if _, err := regexp.Compile(cmd.Params[name]); err != nil {
				f.Error(at.At(where+".params."+name), "controlconfig.command-regexp", "name", name)
			} else if !used[name] {
				f.Error(at.At(where+".params."+name), "controlconfig.command-unused", "name", name)
			}
		}
		for _, name := range append(slices.Sorted(maps.Keys(cmd.Env)), slices.Sorted(maps.Keys(cmd.Secrets))...) {
			if !envName.MatchString(name) {
				f.Error(at.At(where), "controlconfig.command-env", "name", name)
			}
		}
		if cmd.Output > mostOutput {
			f.Error(at.At(where+".output"), "controlconfig.command-output")
		}
	}
}
