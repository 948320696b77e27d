package main

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) userCommand() *cobra.Command {
	cmd := c.onNode(c.group("user", "user"))
	cmd.AddCommand(
		c.userAddCommand(), c.userListCommand(), c.userShowCommand(), c.userRoleCommand(),
		c.userDisableCommand("disable", true), c.userDisableCommand("enable", false),
		c.userPasswordCommand(), c.userLogoutCommand(), c.userRemoveCommand(),
	)
	return cmd
}

// why gives a command the reason that its event bears.
func (c *cli) why(cmd *cobra.Command) *string {
	return cmd.Flags().String("why", "", c.t("cli.flag.why"))
}

func userPath(id string) string { return "/users/" + url.PathEscape(id) }

func roleWords() string {
	var words []string
	for _, role := range access.Roles() {
		words = append(words, string(role))
	}
	return strings.Join(words, ", ")
}

// roleOf reads a role.
func roleOf(text string) (access.Role, error) {
	role := access.Role(text)
	if !role.Known() {
		return "", invalid("cli.invalid.role", "value", text, "words", roleWords())
	}
	return role, nil
}

func (c *cli) userAddCommand() *cobra.Command {
	var name, role string
	var why *string
	cmd := c.command("add ID --role ROLE", "user.add", exactly(1), func(cmd *cobra.Command, args []string) error {
		r, err := roleOf(role)
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		password, err := c.newSecrets().fresh(args[0])
		if err != nil {
			return err
		}
		u, err := controlapi.Post[controlapi.User](cmd.Context(), node, "/users", map[string]any{
			"id": args[0], "name": name, "role": r, "password": password, "reason": *why,
		})
		if err != nil {
			return err
		}
		return c.show(u, func() { c.say("cli.user.added", "id", u.ID, "role", u.Role) })
	})
	cmd.Flags().StringVar(&role, "role", "", c.t("cli.flag.role"))
	cmd.Flags().StringVar(&name, "name", "", c.t("cli.flag.user-name"))
	why = c.why(cmd)
	return cmd
}

func (c *cli) users(list ...controlapi.User) {
	t := table{head: c.heads("user", "name", "role", "state", "seen"), none: c.t("cli.user.list.none")}
	for _, u := range list {
		state := ""
		if u.Disabled {
			state = c.t("cli.user.disabled")
		}
		t.add(u.ID, u.Name, string(u.Role), state, clock(u.Seen))
	}
	c.table(t)
}

func (c *cli) userListCommand() *cobra.Command {
	return c.command("list", "user.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		list, err := controlapi.List[controlapi.User](cmd.Context(), node, "/users", nil, 0)
		if err != nil {
			return err
		}
		return c.show(list, func() { c.users(list...) })
	})
}

func (c *cli) userShowCommand() *cobra.Command {
	return c.command("show ID", "user.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		u, _, err := controlapi.Get[controlapi.User](cmd.Context(), node, userPath(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(u, func() { c.users(u) })
	})
}

// editUser changes a user as seen a moment ago.
func (c *cli) editUser(cmd *cobra.Command, id string, change map[string]any) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	_, version, err := controlapi.Get[controlapi.User](cmd.Context(), node, userPath(id), nil)
	if err != nil {
		return err
	}
	u, _, err := controlapi.Patch[controlapi.User](cmd.Context(), node, userPath(id), version, change)
	if err != nil {
		return err
	}
	return c.show(u, func() { c.users(u) })
}

func (c *cli) userRoleCommand() *cobra.Command {
	var why *string
	cmd := c.command("role ID ROLE", "user.role", exactly(2), func(cmd *cobra.Command, args []string) error {
		role, err := roleOf(args[1])
		if err != nil {
			return err
		}
		return c.editUser(cmd, args[0], map[string]any{"role": role, "reason": *why})
	})
	why = c.why(cmd)
	return cmd
}

func (c *cli) userDisableCommand(verb string, disabled bool) *cobra.Command {
	var why *string
	cmd := c.command(verb+" ID", "user."+verb, exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.editUser(cmd, args[0], map[string]any{"disabled": disabled, "reason": *why})
	})
	why = c.why(cmd)
	return cmd
}

func (c *cli) userPasswordCommand() *cobra.Command {
	var why *string
	cmd := c.command("password ID", "user.password", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		me, _, err := controlapi.Get[controlapi.Myself](cmd.Context(), node, "/me", nil)
		if err != nil {
			return err
		}
		body := map[string]string{"reason": *why}
		asks := c.newSecrets()
		if me.By == "session" && me.User == args[0] {
			if body["current"], err = asks.read("cli.ask.password", "user", args[0]); err != nil {
				return err
			}
		}
		if body["password"], err = asks.fresh(args[0]); err != nil {
			return err
		}
		_, _, err = controlapi.Put[struct{}](cmd.Context(), node, userPath(args[0])+"/password", continuity.VersionAny, body)
		if err == nil {
			c.warnOnly("cli.user.password-set", "id", args[0])
		}
		return err
	})
	why = c.why(cmd)
	return cmd
}

func (c *cli) userLogoutCommand() *cobra.Command {
	return c.command("logout ID", "user.logout", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		u, err := controlapi.Post[controlapi.User](cmd.Context(), node, userPath(args[0])+"/log-out", nil)
		if err != nil {
			return err
		}
		return c.show(u, func() { c.users(u) })
	})
}

func (c *cli) userRemoveCommand() *cobra.Command {
	var why *string
	var yes bool
	cmd := c.command("remove ID", "user.remove", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		_, version, err := controlapi.Get[controlapi.User](cmd.Context(), node, userPath(args[0]), nil)
		if err != nil {
			return err
		}
		if err := c.confirm(yes, "cli.confirm.user-remove", "id", args[0]); err != nil {
			return err
		}
		return controlapi.Remove(cmd.Context(), node, userPath(args[0]), version, *why)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, c.t("cli.flag.yes"))
	why = c.why(cmd)
	return cmd
}
