// Holdfast accepts orders durably while the system behind it is down, and
// replays them in order afterwards. This command runs the relay and is how
// people look at it and act on it.
//
// Flags are read here and turned into calls; what the commands do stands in
// internal/app, internal/api and internal/doctor. There is one file for each
// command. Texts stand in the catalogue, in English and Chinese.
package main

import (
	"context"
	"os"

	"holdfast/internal/command"
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	command.Main()
	os.Exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.Getenv))
}
