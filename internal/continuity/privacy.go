package continuity

// Privacy says that a person looked for what is kept of somebody, or erased it.
type Privacy struct {
	Erased bool
	Person string
	Why    string
	Route  string
	Key    KeyTag // what was asked for; 0: by caller only
	Count  int    // requests found
}
