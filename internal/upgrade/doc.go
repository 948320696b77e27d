// Package upgrade brings a component to another version, and back by itself where
// that goes wrong.
//
// An upgrade is one object. Its stage names what is being done, and is stored before
// that begins; what was done is stored with the stage that comes next. Each effect can
// be repeated: it bears a name of the upgrade's own, by which whoever does it knows
// that it was done. An engine over the same store goes on where the last one was
// killed, and never has to guess.
//
// From the moment at which requests are held until the last look of the bake, whatever
// is found wrong leads back: to the version that last proved to be right, with data by
// the way that was rehearsed, and everything delivered since delivered again. Where
// that can't be done within what people agreed to, or failed three times, a person is
// asked, and what is held stays held.
//
// The engine decides by what is stored; Hands do things, beside it.
package upgrade
