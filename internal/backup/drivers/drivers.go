package drivers

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/backup"
	"holdfast/internal/backup/folder"
	"holdfast/internal/backup/mysql"
	"holdfast/internal/backup/node"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/backup/query"
	"holdfast/internal/backup/sqlite"
	"holdfast/internal/continuity"
)

// Options are all that drivers want to know; each takes what is its. To restore beside the
// source, and to prove, none of them is needed.
type Options struct {
	Service, Set string
	DSN          string         // of a database server
	Path         string         // of a folder or a file
	Spool        string         // a folder of this set's own, kept from run to run
	Stanza       string         // of pgBackRest
	Follow       bool           // its changes are followed, too
	Queries      []backup.Query // of the set: of kind query, what is kept
	State        node.State     // Holdfast's own, for kind node
	Journal      node.Journal   // how those of relays are read, for kind node
	Log          *slog.Logger
}

var table = map[string]func(Options) (backup.Driver, error){
	"folder": func(o Options) (backup.Driver, error) {
		return folder.New(folder.Options{Path: o.Path, Spool: o.Spool, Log: o.Log})
	},
	"mysql": func(o Options) (backup.Driver, error) {
		return mysql.New(mysql.Options{DSN: o.DSN, Spool: o.Spool, Follows: o.Follow, Log: o.Log})
	},
	"node": func(o Options) (backup.Driver, error) {
		return node.New(node.Options{State: o.State, Journal: o.Journal, Folder: o.Path, Spool: o.Spool, System: o.Set, Log: o.Log})
	},
	"pgbackrest": func(o Options) (backup.Driver, error) {
		return postgres.NewRepository(postgres.RepositoryOptions{DSN: o.DSN, Stanza: o.Stanza, Log: o.Log}), nil
	},
	kindQuery: func(o Options) (backup.Driver, error) {
		q := query.Options{System: o.Set}
		q.Kind, q.DSN = database(o.DSN)
		for _, each := range o.Queries {
			q.Questions = append(q.Questions, query.Question{Name: each.ID, SQL: each.SQL})
		}
		return query.New(q)
	},
	"sqlite": func(o Options) (backup.Driver, error) {
		return sqlite.New(sqlite.Options{Path: o.Path, Spool: o.Spool, Log: o.Log})
	},
	"postgres": func(o Options) (backup.Driver, error) {
		return postgres.New(postgres.Options{DSN: o.DSN, Spool: o.Spool, Slot: slot(o), Log: o.Log}), nil
	},
}

const kindQuery = "query"

// Shut names the user who can't get to a folder in which sets of a kind are to be
// restored, where there is one.
func Shut(kind, folder string) string {
	if kind == "postgres" || kind == "pgbackrest" {
		return postgres.Shut(folder)
	}
	return ""
}

// Checks are those of a set's queries that ask what was restored. Of the kind query
// there are none: its queries are what is kept.
func Checks(kind string, queries []backup.Query) []backup.Query {
	if kind == kindQuery {
		return nil
	}
	return queries
}

// database tells by an address which kind of database is asked: sqlite:/path, as URLs of
// PostgreSQL begin, or else one of MySQL.
func database(dsn string) (kind, address string) {
	switch scheme, rest, _ := strings.Cut(dsn, ":"); scheme {
	case "postgres", "postgresql":
		return query.Postgres, dsn
	case "sqlite":
		return query.SQLite, rest
	}
	return query.MySQL, dsn
}

// Kinds are the names of all kinds.
func Kinds() []string { return slices.Sorted(maps.Keys(table)) }

// New makes a driver of a kind.
func New(kind string, o Options) (backup.Driver, error) {
	make, known := table[kind]
	if !known {
		return nil, continuity.E(continuity.CodeInvalid, nil, "detail_id", "backup.invalid.kind", "kind", kind, "kinds", strings.Join(Kinds(), ", "))
	}
	return make(o)
}

// slot is the name of a replication slot of this set alone. Such names are short, and
// have no hyphens.
func slot(o Options) string {
	sum := sha256.Sum256([]byte(o.Service + "/" + o.Set))
	name := strings.ReplaceAll(o.Service+"_"+o.Set, "-", "_")
	return "holdfast_" + name[:min(len(name), 40)] + "_" + hex.EncodeToString(sum[:4])
}
