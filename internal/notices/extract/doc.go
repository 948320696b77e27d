// Package extract reads what a provider wrote for people, in English or Chinese:
// which kind of news it is, when it happens, what it concerns, how bad it is.
//
// It never guesses silently. What could not be read is left empty and named in
// Reading.Unread; what was read by an assumption, such as a zone that nobody
// wrote, is named in Reading.Doubts. Where a text names several windows none is
// chosen: they are Candidates.
//
// A text of anybody's making costs bounded time: it is cut, and read by regular
// expressions that Go runs in linear time.
package extract
