// Package open makes a target of its address, for the command line and the control node.
package open
