package replay

// LiveRoom is what live requests may take of the upstream's capacity a second:
// all of it, or nine tenths while there is something to replay (rule 6.1). It is
// for whoever bounds live requests; replay itself takes no more than they leave,
// or its tenth.
func (d *Drainer) LiveRoom() float64 {
	c := d.Route.Capacity
	if c <= 0 { // what clients ask for must not raise what bounds them
		c = d.Meter.Capacity()
	}
	if d.busy() {
		c -= replayShare * c
	}
	return c
}

// LiveBound is what bounds live requests of a route that says nothing of
// admission: while there is something to replay, nine tenths of the stated
// capacity; else, and where nobody stated one, 0: nothing does.
func (d *Drainer) LiveBound() float64 {
	if d.Route.Capacity <= 0 || !d.busy() {
		return 0
	}
	return d.LiveRoom()
}
