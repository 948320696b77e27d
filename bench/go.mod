module holdfast/bench

go 1.26.0

require (
	github.com/mattn/go-sqlite3 v1.14.53
	golang.org/x/sys v0.49.0
	holdfast v0.0.0
)

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/nicksnyder/go-i18n/v2 v2.7.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace holdfast => ../
