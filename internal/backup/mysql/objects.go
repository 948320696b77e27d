package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// side is what a database consists of.
type side struct {
	Tables   []string  `json:"tables,omitempty"`
	Triggers []trigger `json:"triggers,omitempty"`
	Objects  []object  `json:"objects,omitempty"`
}

// object is a view, a routine or an event, by the statement that makes it.
type object struct {
	Kind string `json:"kind"` // as statements name it
	Name string `json:"name"`
	SQL  string `json:"sql"`
	setting
}

// setting is of the session that made an object: it means something else in another.
type setting struct {
	Mode      string `json:"mode"`
	Charset   string `json:"charset"`
	Collation string `json:"collation"`
	Zone      string `json:"zone,omitempty"`
}

type trigger struct {
	Name    string `json:"name"`
	Table   string `json:"table"`
	When    string `json:"when"`
	Body    string `json:"body"`
	Definer string `json:"definer"`
	setting
}

// statement makes the trigger on a table, whatever its name is at the time. It names no
// database: the server keeps it as it is, and it may be restored under another name.
func (t trigger) statement(table string) string {
	user, host, _ := strings.Cut(t.Definer, "@")
	if i := strings.LastIndexByte(t.Definer, '@'); i >= 0 {
		user, host = t.Definer[:i], t.Definer[i+1:]
	}
	return fmt.Sprintf("CREATE DEFINER=%s TRIGGER %s %s ON %s FOR EACH ROW %s",
		account(user, host), quoted(t.Name), t.When, quoted(table), t.Body)
}

func account(user, host string) string {
	if host == "" { // a role
		return quoted(user)
	}
	return quoted(user) + "@" + quoted(host)
}

// looked finds what the connection's database consists of.
func looked(ctx context.Context, db asked) (s side, err error) {
	if s.Tables, err = column(ctx, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type NOT LIKE '%VIEW' ORDER BY table_name"); err != nil {
		return s, err
	}
	if s.Triggers, err = triggers(ctx, db); err != nil {
		return s, err
	}
	s.Objects, err = objects(ctx, db)
	return s, err
}

func column(ctx context.Context, db asked, query string) (all []string, err error) {
	rows, err := list(ctx, db, query)
	for _, row := range rows {
		all = append(all, row[0])
	}
	return all, err
}

func triggers(ctx context.Context, db asked) (all []trigger, err error) {
	rows, err := list(ctx, db, `SELECT trigger_name, event_object_table, CONCAT(action_timing, ' ', event_manipulation), action_statement, definer,
		sql_mode, character_set_client, collation_connection FROM information_schema.triggers WHERE trigger_schema = DATABASE()
		ORDER BY event_object_table, event_manipulation, action_timing, action_order`)
	for _, r := range rows {
		all = append(all, trigger{r[0], r[1], r[2], r[3], r[4], setting{Mode: r[5], Charset: r[6], Collation: r[7]}})
	}
	return all, err
}

func objects(ctx context.Context, db asked) (all []object, err error) {
	found, err := list(ctx, db, `SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()
		UNION ALL SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = DATABASE()
		UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		said, err := row(ctx, db, "SHOW CREATE "+f[0]+" "+quoted(f[1]))
		if err != nil {
			return nil, err
		}
		o := object{Kind: f[0], Name: f[1], setting: setting{said["sql_mode"], said["character_set_client"], said["collation_connection"], said["time_zone"]}}
		for name, value := range said {
			if strings.HasPrefix(name, "create ") {
				o.SQL = value
			}
		}
		if o.SQL == "" {
			return nil, fmt.Errorf("the user has no right to see how %s %s is made", strings.ToLower(o.Kind), o.Name)
		}
		all = append(all, o)
	}
	return all, nil
}

// row is the only one of an answer, by the names of its columns in small letters.
func row(ctx context.Context, db asked, query string) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	found := map[string]string{}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, name := range columns {
			found[strings.ToLower(name)] = values[i].String
		}
	}
	return found, rows.Err()
}

// make runs a statement in the session that it was written for.
func (s *session) make(ctx context.Context, statement string, of setting) error {
	// What we have is UTF-8, whatever it was written in.
	if ascii := len(statement) == utf8.RuneCountInString(statement); of.Charset == "" || !ascii && !strings.HasPrefix(of.Charset, "utf8") {
		of.Charset, of.Collation = "utf8mb4", "utf8mb4_general_ci"
	}
	zone := of.Zone
	if zone == "" {
		zone = "+00:00"
	}
	_, err := s.conn.ExecContext(ctx, "SET SESSION sql_mode = ?, time_zone = ?", of.Mode, zone)
	if err == nil {
		err = s.run(ctx, "SET NAMES "+of.Charset, "SET collation_connection = "+of.Collation)
	}
	if err == nil {
		_, err = s.conn.ExecContext(ctx, statement)
	}
	if back := s.plain(context.WithoutCancel(ctx)); err == nil {
		err = back
	}
	return err
}

// furnish has the database have these views, routines and events and no others.
func (s *session) furnish(ctx context.Context, want []object, rights []string) error {
	have, err := objects(ctx, s.conn)
	if err != nil {
		return err
	}
	for _, o := range have {
		if !slices.Contains(want, o) {
			if err := s.run(ctx, "DROP "+o.Kind+" IF EXISTS "+quoted(s.own)+"."+quoted(o.Name)); err != nil {
				return err
			}
		}
	}
	// A view may need another one.
	var failed error
	todo := slices.DeleteFunc(slices.Clone(want), func(o object) bool { return slices.Contains(have, o) })
	for again := true; again && len(todo) > 0; {
		again, failed = false, nil
		todo = slices.DeleteFunc(todo, func(o object) bool {
			err := s.make(ctx, o.SQL, o.setting)
			if err != nil {
				failed = fmt.Errorf("%s %s: %w", strings.ToLower(o.Kind), o.Name, err)
			}
			again = again || err == nil
			return err == nil
		})
	}
	if failed != nil {
		return failed
	}
	if len(rights) == 0 {
		return nil
	}
	given, err := s.rights(ctx)
	if err != nil {
		return err
	}
	for _, grant := range rights {
		if slices.Contains(given, grant) {
			continue
		}
		// Of a routine that is on the other side only, there is nothing to grant.
		if err := s.run(ctx, grant); err != nil && number(err) != 1305 {
			return err
		}
	}
	return nil
}

// rights are those on routines of the database: they go with a routine that goes.
func (s *session) rights(ctx context.Context) (all []string, err error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT user, host, routine_type, routine_name, proc_priv FROM mysql.procs_priv WHERE db = ? ORDER BY 1, 2, 3, 4", s.own)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var user, host, kind, name, said string
		if err := rows.Scan(&user, &host, &kind, &name, &said); err != nil {
			return nil, err
		}
		var given []string
		option := ""
		for right := range strings.SplitSeq(said, ",") {
			if strings.EqualFold(right, "grant") {
				option = " WITH GRANT OPTION"
			} else if right != "" {
				given = append(given, right)
			}
		}
		if len(given) == 0 {
			given = []string{"USAGE"}
		}
		all = append(all, fmt.Sprintf("GRANT %s ON %s %s.%s TO %s%s", strings.Join(given, ", "), kind, quoted(s.own), quoted(name), account(user, host), option))
	}
	return all, rows.Err()
}
