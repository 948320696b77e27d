// Package follow keeps an engine's picture of the store's objects while its node
// leads: it reads them once a term, then follows events, and commits under the
// lease. An engine that lost the lead, or whose commit failed, begins with an empty
// picture again, so that it never decides by what is not stored.
package follow
