// Package oncall says who is to be told: who is on call by a rota at a time, and
// who is told after whom when nobody answers. It is made of pure functions of a
// rota, what people said of it, the people there are and a time.
//
// # Rotas
//
// The people of a rota take turns of some days each, from its first day on. A turn
// begins when the clocks of the rota's zone show the time of handing over (see
// calendar.Resolve), whatever they do around it. So turns leave no gap and never
// overlap: each instant from the beginning of a rota belongs to exactly one.
//
// A rota with hours is there in those hours only; turns go on beside them.
//
// # Who it is
//
// An override puts a person in the place of whoever's turn it is, at any time; of
// several that hold at a time the one that was said last counts. Somebody who has
// left, or who is not known, is never on call: an override of theirs counts for
// nothing, and in their turn the next of the rota is.
//
// # Ladders
//
// Who leads a role is told first, then one deputy after the other, then the whole
// team. Hours of quiet never stop a page.
package oncall
