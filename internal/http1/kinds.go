package http1

// fieldKind says how a field that is about to be sent is treated.
type fieldKind uint8

const (
	fieldPlain      fieldKind = iota
	fieldFraming              // ours to write, or hop-by-hop: left out
	fieldConnection           // only "close" is heeded
	fieldDate
	fieldHost
)

func kindOf(name string) fieldKind {
	switch len(name) {
	case 2:
		if fold(name, "te") {
			return fieldFraming
		}
	case 4:
		switch {
		case fold(name, "date"):
			return fieldDate
		case fold(name, "host"):
			return fieldHost
		}
	case 6:
		if fold(name, "expect") {
			return fieldFraming
		}
	case 7:
		if fold(name, "upgrade") || fold(name, "trailer") {
			return fieldFraming
		}
	case 10:
		switch {
		case fold(name, "connection"):
			return fieldConnection
		case fold(name, "keep-alive"):
			return fieldFraming
		}
	case 14:
		if fold(name, "content-length") {
			return fieldFraming
		}
	case 17:
		if fold(name, "transfer-encoding") {
			return fieldFraming
		}
	}
	if len(name) > 6 && (name[0]|0x20) == 'p' && fold(name[:6], "proxy-") {
		return fieldFraming
	}
	return fieldPlain
}
