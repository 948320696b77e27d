package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/access"
	"holdfast/internal/controlapi"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func (c *cli) completionCommand() *cobra.Command {
	cmd := c.command("completion bash|zsh|fish|powershell", "completion", exactly(1), func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(c.out, true)
		case "zsh":
			return root.GenZshCompletion(c.out)
		case "fish":
			return root.GenFishCompletion(c.out, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(c.out)
		}
		return invalid("cli.invalid.shell", "value", args[0], "words", strings.Join(shells, ", "))
	})
	cmd.ValidArgs = shells
	return cmd
}

// named are the lists of a control node that commands take an id from as their
// first argument.
var named = map[string]string{
	"check show": "/checks", "check run": "/checks",
	"warning show": "/warnings", "warning confirm": "/warnings", "warning dismiss": "/warnings",
	"notify show": "/notifications", "notify ack": "/notifications", "silence end": "/silences",
	"incident update": "/incidents", "incident updates": "/incidents", "incident loss": "/incidents", "incident evidence": "/incidents",
	"incident show": "/incidents", "incident timeline": "/incidents", "incident figures": "/incidents", "incident grade": "/incidents",
	"incident state": "/incidents", "incident resolve": "/incidents", "incident take": "/incidents", "incident task": "/incidents", "incident close": "/incidents",
	"notice show": "/notices", "notice confirm": "/notices", "notice dismiss": "/notices",
	"channel test": "/channels",
	"plan show":    "/plans", "plan export": "/plans", "plan versions": "/plans",
	"user show": "/users", "user role": "/users", "user disable": "/users", "user enable": "/users", "user password": "/users", "user logout": "/users", "user remove": "/users",
	"token revoke":        "/tokens",
	"people show":         "/people",
	"people left":         "/people",
	"people remove":       "/people",
	"group show":          "/groups",
	"group end":           "/groups",
	"oncall override end": "/oncall/overrides",
}

// completeWithin is how long a shell waits for a node: who pressed a key has
// better things to do.
const completeWithin = time.Second

// completes lets the arguments of commands be completed by what a node knows.
func (c *cli) completes(root *cobra.Command) {
	for path, list := range named {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil || cmd.CommandPath() != "holdfast "+path || cmd.ValidArgsFunction != nil {
			continue
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if path == "user role" && len(args) == 1 {
				return roleNames(), cobra.ShellCompDirectiveNoFileComp
			}
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return c.known(cmd.Context(), list, begun), cobra.ShellCompDirectiveNoFileComp
		}
	}
	for _, path := range []string{"user add", "token add"} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil {
			continue
		}
		fixed := func(words []string) cobra.CompletionFunc {
			return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return words, cobra.ShellCompDirectiveNoFileComp
			}
		}
		_ = cmd.RegisterFlagCompletionFunc("role", fixed(roleNames())) // the flags are there, or there is nothing to complete
		_ = cmd.RegisterFlagCompletionFunc("scope", fixed(strings.Split(scopeWords(), ", ")))
	}
}

func roleNames() []string {
	var names []string
	for _, role := range access.Roles() {
		names = append(names, string(role))
	}
	return names
}

// known lists the ids of a list that begin so; nothing where the node does not
// answer in time.
func (c *cli) known(ctx context.Context, list, begun string) []string {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	node, err := c.connectControl()
	if err != nil {
		return nil
	}
	// One page is more than anybody reads.
	page, _, err := controlapi.Get[controlapi.Page[json.RawMessage]](ctx, node, list, nil)
	if err != nil {
		return nil
	}
	var ids []string
	for _, item := range page.Items {
		var entry struct{ ID, Service string }
		if json.Unmarshal(item, &entry) != nil {
			continue
		}
		if entry.ID == "" {
			entry.ID = entry.Service
		}
		if entry.ID != "" && strings.HasPrefix(entry.ID, begun) {
			ids = append(ids, entry.ID)
		}
	}
	return ids
}
