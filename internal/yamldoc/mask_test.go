package yamldoc_test

import (
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

func TestExcerptHidesSecretsAndShowsTheirNames(t *testing.T) {
	for line, want := range map[string]string{
		`headers: {X-Api-Key: hunter2}`:               `headers: {X-Api-Key: *******}`,
		`Authorization: "Bearer hunter2, too"`:        `Authorization: *********************`,
		`headers: {X-Shop-Token: hunter2, Accept: x}`: `headers: {X-Shop-Token: *******, Accept: x}`,
		`cookie: a=hunter2; b=hunter2`:                `cookie: ********************`,
		`password: hunter2`:                           `password: *******`,
		`secret: hunter2`:                             `secret: *******`,
		`dsn: postgres://shop:hunter2@db/shop`:        `dsn: postgres://shop:*******@db/shop`,
		`dsn: {secret: SHOP_DSN}`:                     `dsn: {secret: SHOP_DSN}`,
		`X-Api-Key: {secret: KEY}, token: hunter2`:    `X-Api-Key: {secret: KEY}, token: *******`,
		`dsn: {secret: hunter2}`:                      `dsn: {secret: *******}`,
	} {
		var out strings.Builder
		problems := []yamldoc.Problem{{Line: 1, Column: 1, Length: 1, ID: "config.tab"}}
		if err := yamldoc.Render(&out, catalogue.En, []byte(line), problems); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "1 | "+want+"\n") {
			t.Errorf("%s: want %s, have\n%s", line, want, out.String())
		}
	}
}
