package plan

import "slices"

// FileNames are the files that a plan's technical file names, each once. They
// stand beside it and travel with it to a node.
func (p *Plan) FileNames() []string {
	var names []string
	if p.Tech != nil {
		for _, c := range p.Tech.Checks {
			if c.Flow != "" && !slices.Contains(names, c.Flow) {
				names = append(names, c.Flow)
			}
		}
	}
	return names
}
