// Package calendar knows days, local times and what happens on them: working
// days by a country's arrangement, recurring schedules in time zones, and
// calendars of busy periods read from iCalendar files. It asks nobody and
// decides nothing; whoever plans a window asks it.
//
// # Working days
//
// Workdays answers for one date. China goes by the State Council's yearly notices,
// make-up working days included; every other country by weekends and the file
// that somebody adds. An answer that is less than it seems, such as weekends
// alone for a year whose notice is not here, bears warnings.
//
// # Local times
//
// A schedule is a rule about local clocks. One definition turns a local time into
// an instant, whatever the zone does (see Resolve):
//
//	the first instant at which the zone's clocks show that time or a later one
//
// So a time that clocks skip happens when they have jumped over it, and a time
// that they show twice happens the first time. Each occurrence happens exactly
// once. The order of local times is the order of instants; occurrences that fall
// on one instant, because clocks jumped over both, are one.
//
// Schedules as crontab writes them (Cron) go by the same definition; one that names
// no hour is of time that passes, and fires in each hour that is shown.
//
// A window lasts either a duration, which is time that passes, or until a local
// time, by the same definition.
//
// # Calendars of others
//
// Parse reads an iCalendar file of anybody's making: bounded in size, depth,
// number of events and occurrences. What it can't understand of one event leaves
// that event out and is counted; it never takes the rest along.
package calendar
