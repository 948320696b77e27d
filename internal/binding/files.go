package binding

import (
	"fmt"
	"path/filepath"

	"holdfast/internal/plan"
)

// checkFiles refuses files outside the plan's folder: they travel with the plan
// to a node, and back into other people's folders.
func checkFiles(p *plan.Plan, r *Report) {
	if p.Tech == nil {
		return
	}
	for i, c := range p.Tech.Checks {
		if c.Flow != "" && !filepath.IsLocal(c.Flow) {
			r.Tech(fmt.Sprintf("checks[%d].flow", i), "planbook.file-outside", "file", c.Flow)
		}
	}
}
