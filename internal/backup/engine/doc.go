// Package engine carries out backups: it captures a data set to several targets at once,
// follows its changes, proves what lies on a target by restoring it, restores it for use,
// and removes what need not stay.
//
// It keeps no state of its own. What there is, is what lies on the targets: a file with a
// signed manifest beside it, and perhaps a proof. So it works with nothing but the
// program, a target and the keys, and whoever was killed in the middle begins again:
//
//   - A file counts once its manifest is there, which is written last.
//   - All targets get the same file. What one missed while it was away is copied to it from
//     another, as it lies there.
//   - Nothing is proven but by a restore from the target itself.
//
// Where a set's driver is needed it is handed in; Drivers are in internal/backup/drivers.
package engine
