package tally_test

import (
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"

	"holdfast/internal/backup/tally"
)

func TestOrderDoesNotMatterAndRemovingUndoesAdding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		things := rapid.SliceOfN(rapid.String(), 1, 30).Draw(t, "things")
		var one, other tally.Total
		for _, s := range things {
			one.Add(sha256.Sum256([]byte(s)))
		}
		for _, s := range rapid.Permutation(things).Draw(t, "order") {
			other.Add(sha256.Sum256([]byte(s)))
		}
		if one.Hash() != other.Hash() || one.Count() != other.Count() {
			t.Fatal("the order matters")
		}
		extra := sha256.Sum256([]byte(rapid.String().Draw(t, "extra")))
		other.Add(extra)
		if one.Hash() == other.Hash() {
			t.Fatal("what was added does not show")
		}
		other.Remove(extra)
		if one.Hash() != other.Hash() || one.Count() != other.Count() {
			t.Fatal("removing does not undo adding")
		}
	})
}

func TestRowsThatDifferLookDifferent(t *testing.T) {
	rows := [][]any{
		{nil}, {""}, {[]byte{}}, {int64(0)}, {"0"}, {float64(0)}, {false}, {uint64(0)},
		{"a", "b"}, {"ab", ""}, {"", "ab"}, {"ab"}, {nil, nil}, {},
	}
	seen := map[string]int{}
	for i, row := range rows {
		var total tally.Total
		total.AddRow(row)
		if j, ok := seen[total.Hash()]; ok {
			t.Errorf("%v looks like %v", row, rows[j])
		}
		seen[total.Hash()] = i
	}
}
