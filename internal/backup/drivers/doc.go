// Package drivers is the one table of the kinds of data that can be backed up.
package drivers
