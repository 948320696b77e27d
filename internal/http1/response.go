package http1

import "strings"

// parseResponse reads a response head, its empty line included.
func parseResponse(s string, h *head, maxFields int) (status int, err *ProtocolError) {
	const least = len("HTTP/1.1 200\r\n")
	if len(s) < least || s[:7] != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' {
		return 0, errStatusLine
	}
	minor := int(s[7] - '0')
	for i := 9; i < 12; i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, errStatusLine
		}
		status = status*10 + int(c)
	}
	if status < 100 {
		return 0, errStatusLine
	}
	// Servers that leave the reason out often leave out the space before it too.
	end := 12 + strings.IndexByte(s[12:], '\r')
	if end < 12 || end+1 >= len(s) || s[end+1] != '\n' || end > 12 && s[12] != ' ' || !all(s[12:end], &valueChar) {
		return 0, errStatusLine
	}
	h.reset(minor)
	return status, h.parse(s[end+2:], maxFields)
}

// bodyless reports whether a response cannot have a body.
func bodyless(method string, status int) bool {
	return method == "HEAD" || status < 200 || status == 204 || status == 304
}
