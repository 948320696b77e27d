package measure

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestSubqueriesAreBounded refuses what a query could take hours for, to people,
// to plans and to the engine alike.
func TestSubqueriesAreBounded(t *testing.T) {
	engine := newEngine()
	for expr, refused := range map[string]bool{
		"max_over_time(max_over_time(vector(1)[6h:1s])[6h:1s])":                true,
		"max_over_time(vector(1)[6h:1s])":                                      true,
		"1 + max_over_time((abs(max_over_time(vector(1)[2h:1m])))[3h:1m])":     true,
		"max_over_time(vector(1)[30d:])":                                       true,
		"max_over_time(vector(1)[1d:1m])":                                      false,
		"max_over_time(rate(a[5m])[1h:30s]) + max_over_time(rate(b[5m])[1d:])": false,
		"max_over_time(max_over_time(vector(1)[10m:1m])[1h:1m])":               false,
	} {
		_, read := Parser.ParseExpr(expr)
		_, planned := NewMeasure("m", expr)
		if (read != nil) != refused || (planned != nil) != refused {
			t.Errorf("%s: %v, %v", expr, read, planned)
		}
		_, err := engine.NewInstantQuery(t.Context(), nil, nil, expr, time.Now())
		if (err != nil) != refused {
			t.Errorf("the engine takes %s: %v", expr, err)
		}
		if refused && (continuity.CodeOf(Problem(err)) != continuity.CodeInvalid || !strings.Contains(err.Error(), "subqueries")) {
			t.Errorf("%s: %v", expr, err)
		}
	}
}
