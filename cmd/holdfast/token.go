package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) tokenCommand() *cobra.Command {
	cmd := c.onNode(c.group("token", "token"))
	cmd.AddCommand(c.tokenAddCommand(), c.tokenListCommand(), c.tokenRevokeCommand())
	return cmd
}

// tokenAddCommand prints the secret alone, so that it can go into a file.
func (c *cli) tokenAddCommand() *cobra.Command {
	var scopes []string
	var role, holds string
	var why *string
	cmd := c.command("add NAME --scope SCOPE...", "token.add", exactly(1), func(cmd *cobra.Command, args []string) error {
		for _, scope := range scopes {
			if !slices.Contains(access.Scopes(), access.Scope(scope)) {
				return invalid("cli.invalid.scope", "value", scope, "words", scopeWords())
			}
		}
		if role != "" {
			r, err := roleOf(role)
			if err != nil {
				return err
			}
			for _, scope := range r.Scopes().List() {
				scopes = append(scopes, string(scope))
			}
		}
		if len(scopes) == 0 {
			return invalid("cli.invalid.scope", "value", "", "words", scopeWords())
		}
		seconds, err := days(holds)
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		made, err := controlapi.Post[controlapi.NewToken](cmd.Context(), node, "/tokens", map[string]any{
			"name": args[0], "scopes": scopes, "seconds": seconds, "reason": *why,
		})
		if err != nil {
			return err
		}
		return c.show(made, func() {
			fmt.Fprintln(c.out, made.Secret)
			c.warnOnly("cli.token.added", "id", made.ID, "until", clock(made.Until))
		})
	})
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, c.t("cli.flag.scope"))
	cmd.Flags().StringVar(&role, "role", "", c.t("cli.flag.token-role"))
	cmd.Flags().StringVar(&holds, "for", "90d", c.t("cli.flag.token-for"))
	why = c.why(cmd)
	return cmd
}

// days reads a duration that may be of days, in seconds.
func days(text string) (int64, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseInt(number, 10, 32); err == nil && n > 0 {
			return n * 24 * 3600, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute {
		return 0, invalid("cli.invalid.token-for", "value", text)
	}
	return int64(d / time.Second), nil
}

func scopeWords() string {
	var words []string
	for _, scope := range access.Scopes() {
		words = append(words, string(scope))
	}
	return strings.Join(words, ", ")
}

func (c *cli) tokenListCommand() *cobra.Command {
	return c.command("list", "token.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		page, _, err := controlapi.Get[controlapi.Page[controlapi.Token]](cmd.Context(), node, "/tokens", nil)
		if err != nil {
			return err
		}
		return c.show(page.Items, func() {
			t := table{head: c.heads("id", "name", "maker", "until", "used", "scopes"), none: c.t("cli.token.list.none")}
			for _, token := range page.Items {
				var now []string
				for _, scope := range token.Now {
					now = append(now, string(scope))
				}
				t.add(token.ID, token.Name, token.Maker, clock(token.Until), clock(token.Used), strings.Join(now, ","))
			}
			c.table(t)
		})
	})
}

func (c *cli) tokenRevokeCommand() *cobra.Command {
	var why *string
	cmd := c.command("revoke ID", "token.revoke", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		return controlapi.Remove(cmd.Context(), node, "/tokens/"+url.PathEscape(args[0]), continuity.VersionAny, *why)
	})
	why = c.why(cmd)
	return cmd
}
