// Package announce says what audiences are told of incidents, and when: holding
// statements that were approved with the plan and go out by themselves, updates that
// somebody approves, the final word, reminders of the next word, the law's clock; and
// the automatic replies that stand while an incident or a window does.
//
// The engine decides by the objects of the store alone, and writes an update, the
// notification that carries it and what the incident says of its audience in one
// transaction. What goes out by itself has an id that follows from what it is about:
// it can't go out twice. What a runbook's step told an audience is a word to it like any
// other, and what asks people to write is withdrawn once they did.
package announce
