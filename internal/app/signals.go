package app

import (
	"os"
	"syscall"
)

// Signals are what Run understands.
func Signals() []os.Signal {
	return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR2}
}

func reloads(s os.Signal) bool { return s == syscall.SIGHUP }

func replaces(s os.Signal) bool { return s == syscall.SIGUSR2 }
