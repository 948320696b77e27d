package sms

import (
	"time"

	"holdfast/internal/notify"
)

// Limits are how many messages one number takes.
type Limits struct {
	Minute int64 `yaml:"minute" kind:"int" min:"1" max:"1000" example:"1"`
	Hour   int64 `yaml:"hour" kind:"int" min:"1" max:"10000" example:"5"`
	Day    int64 `yaml:"day" kind:"int" min:"1" max:"100000" example:"10"`
}

// Rooms are the limits that are there; nil: none is.
func (l *Limits) Rooms() (rooms []notify.Room) {
	if l == nil {
		return nil
	}
	for _, r := range []struct {
		count  int64
		within time.Duration
	}{{l.Minute, time.Minute}, {l.Hour, time.Hour}, {l.Day, 24 * time.Hour}} {
		if r.count > 0 {
			rooms = append(rooms, notify.Room{Count: int(r.count), Within: r.within})
		}
	}
	return rooms
}
