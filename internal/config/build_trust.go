package config

import "holdfast/internal/continuity"

func (s *sensitiveBlock) build() continuity.Sensitive {
	return continuity.Sensitive{
		Fields: s.Fields.values(), Headers: s.Headers.values(), Query: s.Query.values(),
		Drop: s.Then.V == "drop", Numbers: s.Numbers.values(), Allow: !s.Detect.V,
	}
}
