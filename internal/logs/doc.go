// Package logs reads log files as they grow, and makes figures of them: how many
// lines match a pattern, and how many are of a kind that was never seen before,
// or seldom.
//
// A Set has one follower for each check of log files. A follower reads the files
// of a glob: each is known by its device, inode and first bytes, so that it is
// read once whatever it is called by now. Renaming, copying and truncating,
// going away and coming back are seen; compressed files are left alone. Lines
// are decoded (UTF-8, GB 18030), bounded, and folded into records: a stack trace
// is one.
//
// What was read, counted and learnt is one state, written as a whole: whatever
// moment ends the program, the next one reads on from there, and each line
// counts once. Positions are those of whole records.
//
// Kinds of lines are templates, found as Drain does (He et al., 2017): by the
// number of words, the first words, and how many others agree. Numbers,
// addresses, ids and secrets are masked before, so that a template says nothing
// about anybody. Templates are bounded; the one that was not seen for longest
// goes first. While a follower learns, nothing is new.
//
// Lines are counted all; of bursts, templates are made of the first
// mineEachSecond lines of each second.
package logs
