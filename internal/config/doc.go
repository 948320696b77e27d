// Package config reads the relay's configuration file, relay.yaml, and turns
// it into routes and settings, or into problems that say where the mistake is,
// what is wrong and what would be right. It never gives half a configuration.
//
// One table drives everything: the tagged structs of document.go, which package
// yamldoc decodes. A file passes through these steps:
//
//	read     text to document, by yamldoc
//	check    what fields say together: identity, order, limits, shadowed routes
//	build    document to Relay
package config
