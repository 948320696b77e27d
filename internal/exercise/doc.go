// Package exercise keeps the clocks of drills and demonstrations. Such a clock drives
// the schedules of what belongs to its exercise, and nothing else: times of events
// stay real, and measures are of real time.
package exercise
