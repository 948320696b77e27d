// Package flow looks at a service as one of its users does: it logs in, sends,
// reads back what it sent, and takes it away again.
//
// A flow is a file (schema holdfast/flow@1), read by Parse with package yamldoc:
// problems have file, line, column and advice, and a flow that could do harm is
// no flow. Its tagged structs drive decoding, the JSON Schema and the reference
// in docs/flows.md.
//
// A run goes through the steps in order. One that fails ends them, unless it is
// marked partial: then the service works partly, steps that need what it would
// have saved are passed over, and the others go on, so that a result tells
// whether logging in, sending or uploading is broken. Steps under cleanup run
// whatever happened, within a time of their own, also when the run is out of
// time or the node stops. A process that is killed leaves what it made; all of
// that bears the run's mark, {{run}}.
//
// Nothing that a service sends, no value that was saved and no secret stands in
// a result: only ids of steps, ids of the catalogue, statuses and seconds.
package flow
