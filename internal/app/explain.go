package app

import "holdfast/internal/continuity"

// Explain implements api.Explaining.
func (d *desk) Explain(q *continuity.Question) (*continuity.Explanation, error) {
	if err := d.Ready(); err != nil {
		return nil, err
	}
	return d.engine.Explain(q)
}
