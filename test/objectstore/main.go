// Command objectstore is rclone with what serving S3 takes and nothing else: a real
// server for the tests of targets. It is a module of its own, as its dependencies are no
// concern of the product's.
package main

import (
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/serve"
	_ "github.com/rclone/rclone/cmd/serve/s3"
)

func main() { cmd.Main() }
