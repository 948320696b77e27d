package announce

// Stamp is the end of a reminder's id.
var Stamp = stamp
