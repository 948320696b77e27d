package continuity_test

import (
	"math/big"
	"testing"

	"holdfast/internal/continuity"
)

func TestRule2_2_AmountsAreExact(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "0.0000": 0, "1": 10_000, "12.5": 125_000, "12.50": 125_000, "0.1": 1_000, "0.0001": 1, "1e2": 1_000_000, "1.5E+1": 150_000,
		"25e-2": 2_500, "1.230000000": 12_300, "100000000000": continuity.MostUnits,
	} {
		if got, ok := continuity.ParseUnits(text); !ok || got != want {
			t.Errorf("%s reads as %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-1", "+1", "01", ".5", "5.", "0.00001", "1e-5", "1,000", "1 000", "NaN", "100000000000.0001", "1e99", "99999999999999999999", "0x10", "１", "1e", "00", "12.5.0", "12345678901234567890123456789012345"} {
		if got, ok := continuity.ParseUnits(text); ok {
			t.Errorf("%q reads as %d", text, got)
		}
	}
	for units, want := range map[int64]string{0: "0", 10_000: "1", 125_000: "12.50", 1: "0.0001", 1_230: "0.123", -15_000: "-1.50"} {
		if got := continuity.Units(units); got != want {
			t.Errorf("%d is written %s", units, got)
		}
	}
}

// What is read is the very number, by another's reckoning.
func FuzzParseUnits(f *testing.F) {
	for _, text := range []string{"12.50", "1e2", "0.0001", "1.5E+1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := continuity.ParseUnits(text)
		if !ok {
			return
		}
		want, ok := new(big.Rat).SetString(text)
		if !ok || want.Mul(want, big.NewRat(10_000, 1)).Cmp(new(big.Rat).SetInt64(got)) != 0 {
			t.Fatalf("%q reads as %d", text, got)
		}
	})
}
