// Package runbook goes through runbooks, step by step. A run and what it goes through
// are objects: the engine decides what becomes of each step, people tick, approve,
// skip, retry and take back, and neither remembers anything that is not stored.
//
// A step's start is stored before its action begins. One that was running when its
// node died is interrupted and asks whether it was done, unless repeating its action
// harms nothing. What an action does to other objects becomes true in one transaction
// with the step's end: such a step is never interrupted.
//
// Steps begin when those that they come after are over, and their precondition is met.
// A sub-runbook's steps stand in its place, as do those of the runbook that is gone
// through where a step fails.
package runbook
