package app

import (
	"os"
	"syscall"
)

// Signals are what Run understands.
func Signals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

func reloads(s os.Signal) bool { return s == syscall.SIGHUP }
