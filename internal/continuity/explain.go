package continuity

// Question is a request that nobody sends: what would happen to it?
type Question struct {
	Method string  `json:"method"`
	Target string  `json:"target"` // path and query
	Host   string  `json:"host,omitempty"`
	Header []Field `json:"header,omitempty"`
	Body   []byte  `json:"body,omitempty"` // base64 in JSON
	From   string  `json:"from,omitempty"` // the client's address
}

// Explanation says what would happen to a request, and what is known of it.
// Values of its body are not in it, apart from its ordering key and amount.
type Explanation struct {
	Live   bool    `json:"live"` // asked of a running relay, which knows what stands and what is pending
	Route  string  `json:"route,omitempty"`
	Before []Unfit `json:"before"` // the routes before it
	Points []Point `json:"points"`
	Now    Fate    `json:"now"`
	Down   *Fate   `json:"if_down,omitempty"` // it would be sent, and not reach the upstream
	Lost   *Fate   `json:"if_lost,omitempty"` // it would be sent, and its answer not come
}

// Unfit is a route that does not match, and the first thing that keeps it from
// that: host, method or path.
type Unfit struct {
	Route string `json:"route"`
	Why   string `json:"why"`
}

// Point is one thing that was found out. Its text stands in the catalogue under
// "cli.explain." and the id.
type Point struct {
	ID      string         `json:"id"`
	Against bool           `json:"against,omitempty"` // it speaks against keeping the request
	Args    map[string]any `json:"args,omitempty"`
}

// Fate is how a request would end.
type Fate struct {
	What   string         `json:"what"` // passed, held, refused ...
	Why    string         `json:"why,omitempty"`
	Status int            `json:"status,omitempty"` // that the relay answers with; 0: the upstream decides
	Code   Code           `json:"code,omitempty"`
	Args   map[string]any `json:"args,omitempty"` // of the code
}
