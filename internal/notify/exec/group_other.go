//go:build !unix

package exec

import "os/exec"

func group(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}

func isPipe(error) bool { return false }
