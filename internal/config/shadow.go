package config

import (
	"slices"
	"strings"
)

// flow is what a route matches; an empty list matches everything.
type flow struct {
	id                    string
	hosts, paths, methods []string
	at                    place
	known                 bool // all of it could be read
}

func flowOf(r *routeBlock) flow {
	m := &r.Match
	return flow{
		id: r.ID.V, hosts: m.Host.Values(), paths: m.Path.Values(), methods: m.Methods.Values(),
		at: fallback(m.At, r.ID.At, r.At), known: r.ID.V != "" && !m.Host.Bad && !m.Path.Bad && !m.Methods.Bad,
	}
}

// checkShadow reports the last route if it gets no request because the ones
// before it take them all. The first route that matches wins.
func checkShadow(f *findings, flows []flow) {
	earlier, last := flows[:len(flows)-1], flows[len(flows)-1]
	if !last.known {
		return
	}
	first := ""
	for _, host := range orAny(last.hosts) {
		for _, path := range orAny(last.paths) {
			for _, method := range orAny(last.methods) {
				taker := slices.IndexFunc(earlier, func(e flow) bool { return e.takes(host, path, method) })
				if taker < 0 {
					return
				}
				if first == "" {
					first = earlier[taker].id
				}
			}
		}
	}
	f.Error(last.at, "config.shadowed", "id", last.id, "other", first)
}

// orAny stands the empty text for a list that matches everything.
func orAny(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

// takes reports whether a flow matches every request with this host, path
// pattern and method; empty stands for any.
func (e flow) takes(host, path, method string) bool {
	return e.known && covers(e.hosts, host) && covers(e.methods, method) &&
		(len(e.paths) == 0 || path != "" && slices.ContainsFunc(e.paths, func(p string) bool { return pathCovers(p, path) }))
}

func covers(values []string, value string) bool {
	return len(values) == 0 || value != "" && slices.Contains(values, value)
}

// pathCovers reports whether every path that inner matches is matched by outer.
func pathCovers(outer, inner string) bool {
	prefix, below := strings.CutSuffix(outer, "/**")
	if !below {
		return outer == inner
	}
	base := strings.TrimSuffix(inner, "/**")
	return base == prefix || strings.HasPrefix(base, prefix+"/")
}
