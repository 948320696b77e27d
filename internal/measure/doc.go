// Package measure keeps what is measured as time series, and says what it means.
//
// A DB is a Prometheus TSDB in a folder of its own: samples go in by Append,
// PromQL comes out by Query and Range. It is bounded: by time and bytes on disk,
// by series in memory, by samples and time for a query. What can't be taken is
// dropped and counted, for a measurement is worth less than what it measures:
//
//   - a sample that comes later than Options.Late, or again for the same time, or
//     whose time is more than a minute ahead;
//   - a new series above Options.MaxSeries;
//   - everything while less than Options.Reserve is free on the disk. Nothing has
//     to be done to end that but to make room. A disk that is full all the same,
//     because somebody else was faster, leaves half a record in the log; the
//     store is opened anew as soon as there is room, which mends it, and what was
//     measured before is there.
//
// What was appended is handed to the kernel before Append returns: a kill loses
// none of it. It is not synced, so a power cut loses the last seconds.
package measure
