// Package checkmark is how a request says that it is a check's and no
// customer's: a field of its head, signed with a key that the control plane and
// the relay share. It is bound to the method, host, path, query and body and to the
// minute, so that a stranger can't make one, nor use one that was seen for
// anything else. Whoever verifies it takes it off before the request goes on.
package checkmark
