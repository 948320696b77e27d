// Package follow keeps an engine's picture of the store's objects while its node
// leads: it reads them once a term, then follows events, and commits under the
// lease. An engine that lost the lead, or whose commit failed, begins with an empty
// picture again, so that it never decides by what is not stored.
//
// A batch that the store refuses again and again holds up nothing else: its objects
// are left alone for a time that grows, as the engine asks Free of each batch, and
// who is responsible is told. So are objects that can't be read.
package follow
