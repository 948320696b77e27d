package measure

import (
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// Parser reads PromQL, without what Prometheus calls experimental, and without
// what a query could take hours for.
var Parser parser.Parser = bounded{parser.NewParser(parser.Options{})}

// bounded refuses subqueries of too many points. The engine looks at its deadline
// only between the points of the outermost of them, so that it can't be relied on.
type bounded struct{ parser.Parser }

func (b bounded) ParseExpr(text string) (parser.Expr, error) {
	expr, err := b.Parser.ParseExpr(text)
	if err != nil {
		return nil, err
	}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		points := pointsOf(node)
		if points == 0 {
			return nil
		}
		for _, outer := range path {
			points *= max(pointsOf(outer), 1)
		}
		if points > maxPoints {
			err = fmt.Errorf("subqueries of %.0f points: at most %d, those within each other multiplied", points, maxPoints)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return expr, nil
}

// usualStep is that of a subquery which names none.
const usualStep = time.Minute

// pointsOf are how many a subquery evaluates; zero for anything else.
func pointsOf(node parser.Node) float64 {
	s, ok := node.(*parser.SubqueryExpr)
	if !ok {
		return 0
	}
	step := s.Step
	if step <= 0 {
		step = usualStep
	}
	return float64(s.Range)/float64(step) + 1
}
