package access

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"holdfast/internal/continuity"
)

// Lengths of passwords: short ones are guessed, and hashing a book takes time.
const (
	shortest = 12  // characters
	longest  = 256 // bytes
)

// The most that a hash may ask for: one from a restored archive might ask for all
// memory there is.
const (
	mostMemory = 256 << 10 // KiB
	mostPasses = 10
	mostLanes  = 16
)

// passwords hashes and compares them, which takes memory on purpose: two at once,
// and a few more wait.
type passwords struct {
	cost    *argon2id.Params
	turns   chan struct{}
	waiting chan struct{}
	nobody  func() string
}

func newPasswords(cost *argon2id.Params) *passwords {
	p := &passwords{cost: cost, turns: make(chan struct{}, 2), waiting: make(chan struct{}, 32)}
	// What an unknown name's password is compared with.
	p.nobody = sync.OnceValue(func() string {
		hash, err := argon2id.CreateHash(plain32.EncodeToString(random(32)), cost)
		if err != nil {
			return ""
		}
		return hash
	})
	return p
}

// turn waits until it may hash; done gives the turn back.
func (p *passwords) turn(ctx context.Context) (done func(), err error) {
	select {
	case p.waiting <- struct{}{}:
	default:
		return nil, continuity.E(continuity.CodeLoginWait, errors.New("many log in at once"), "seconds", 5)
	}
	defer func() { <-p.waiting }()
	select {
	case p.turns <- struct{}{}:
		return func() { <-p.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return argon2id.CreateHash(password, p.cost)
}

// same compares a password with a hash; with none, it takes as long.
func (p *passwords) same(ctx context.Context, password, hash string) (bool, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	known := hash != ""
	if !known {
		hash = p.nobody()
	}
	cost, _, _, err := argon2id.DecodeHash(hash)
	if err != nil {
		return false, err
	}
	if cost.Memory > mostMemory || cost.Iterations > mostPasses || cost.Parallelism > mostLanes {
		return false, errors.New("access: a hash asks for more than this node gives")
	}
	same, err := argon2id.ComparePasswordAndHash(password, hash)
	return same && known, err
}

//go:embed common.txt
var commonText string

var common = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for line := range strings.Lines(commonText) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			known[line] = true
		}
	}
	return known
})

// checkPassword refuses what would be guessed first. What a password says is
// never repeated.
func checkPassword(user, password string) error {
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return invalid("access.password.characters")
	case utf8.RuneCountInString(password) < shortest:
		return invalid("access.password.short", "least", shortest)
	case len(password) > longest:
		return invalid("access.password.long", "most", longest)
	case guessable(user, password):
		return invalid("access.password.common")
	}
	return nil
}

// guessable says whether a password is a common one, or one with digits and signs
// around it, one said twice, a row of keys, or the user's own name.
func guessable(user, password string) bool {
	word := strings.ToLower(password)
	distinct := map[rune]bool{}
	for _, r := range word {
		distinct[r] = true
	}
	if len(distinct) < 5 || walked(word) {
		return true
	}
	inner := strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, w := range []string{word, inner, plainly(word), plainly(inner), once(word), once(inner)} {
		if common()[w] || w == strings.ToLower(user) || w == plainly(strings.ToLower(user)) {
			return true
		}
	}
	return false
}

// plainly undoes what people do to letters: p@ssw0rd.
func plainly(word string) string {
	return strings.NewReplacer("@", "a", "4", "a", "0", "o", "1", "i", "!", "i", "3", "e", "$", "s", "5", "s", "7", "t", ".", "", "-", "", "_", "", " ", "").Replace(word)
}

// once is what a word repeats, or the word.
func once(word string) string {
	for n := 1; n <= len(word)/2; n++ {
		if len(word)%n == 0 && strings.Repeat(word[:n], len(word)/n) == word {
			return word[:n]
		}
	}
	return word
}

// walked says whether a word is rows of keys or counting, but for the last two.
func walked(word string) bool {
	rows := []string{"01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "1q2w3e4r5t6y7u8i9o0p", "!@#$%^&*()"}
	for len(word) > 2 {
		longest := 0
		for _, row := range rows {
			for _, row := range []string{row, backwards(row)} {
				for n := len(word); n > max(longest, 2); n-- {
					if strings.Contains(row, word[:n]) {
						longest = n
						break
					}
				}
			}
		}
		if longest == 0 {
			return false
		}
		word = word[longest:]
	}
	return true
}

func backwards(text string) string {
	b := []byte(text)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}
