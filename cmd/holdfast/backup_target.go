package main

import (
	"context"
	"path/filepath"
	"strings"

	"holdfast/internal/target"
	"holdfast/internal/target/open"
)

// openTarget opens a place as it was typed, which is also its name. A folder may be
// named from where one stands.
func openTarget(ctx context.Context, address, secret string) (target.Target, error) {
	if !strings.Contains(address, ":") {
		where, err := filepath.Abs(address)
		if err != nil {
			return nil, err
		}
		address = where
	}
	return open.Target(ctx, address, secret)
}

// readCredentials reads what opens each place. A secret is offered to the place whose it
// is and to no other: a file that names none is taken only where one place can be meant.
func readCredentials(flag string, given, places []string) (map[string]string, error) {
	files := map[string]string{}
	var unnamed []string
	for _, one := range given {
		place, file, err := placeOf(flag, one, places)
		if err != nil {
			return nil, err
		}
		if place == "" {
			unnamed = append(unnamed, file)
			continue
		}
		if files[place] != "" {
			return nil, invalid("backup.invalid.credentials-twice", "flag", flag, "place", shown(place))
		}
		files[place] = file
	}
	var bare []string // needs a secret and has none yet
	for _, place := range places {
		if files[place] == "" && remote(place) {
			bare = append(bare, place)
		}
	}
	switch {
	case len(unnamed) == 0:
	case len(bare) == 1 && len(unnamed) == 1:
		files[bare[0]] = unnamed[0]
	case len(bare) > 0:
		names := make([]string, len(bare))
		for i, place := range bare {
			names[i] = shown(place)
		}
		return nil, invalid("backup.invalid.credentials-whose", "flag", flag, "file", unnamed[0], "places", strings.Join(names, ", "), "place", names[0])
	}
	secrets := map[string]string{}
	for _, place := range places {
		file, has := files[place]
		if !has {
			continue
		}
		raw, err := secretFile(file)
		if err != nil {
			return nil, err
		}
		secrets[place] = string(raw)
	}
	return secrets, nil
}

// placeOf takes PLACE=FILE apart. The place is as it was typed, or without what stands
// behind its question mark as long as that means one place.
func placeOf(flag, given string, places []string) (place, file string, err error) {
	for _, p := range places {
		if rest, is := strings.CutPrefix(given, p+"="); is {
			return p, rest, nil
		}
	}
	for _, p := range places {
		short, _, _ := strings.Cut(p, "?")
		rest, is := strings.CutPrefix(given, short+"=")
		if is && place != "" {
			return "", "", invalid("backup.invalid.credentials-several", "flag", flag, "place", shown(p))
		}
		if is {
			place, file = p, rest
		}
	}
	if place == "" && remote(given) {
		return "", "", invalid("backup.invalid.credentials-place", "flag", flag, "given", shown(given))
	}
	if place == "" {
		file = given
	}
	return place, file, nil
}

// remote says whether a place is opened by credentials.
func remote(place string) bool { return strings.Contains(place, "://") }

// shown is the part of an address that bears no secret even where it should not.
func shown(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, _, _ := strings.Cut(rest[:at], ":")
		rest = user + rest[at:]
	}
	return scheme + "://" + rest
}
