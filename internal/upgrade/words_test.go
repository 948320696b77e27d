package upgrade

import (
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// TestALimitThatNobodyStatedIsSaidInWords has no number stand where a plan states none.
func TestALimitThatNobodyStatedIsSaidInWords(t *testing.T) {
	for _, c := range []struct {
		lang catalogue.Lang
		most int64
		want string
	}{
		{catalogue.En, 500, "12 min and 500 requests."}, {catalogue.En, AnyRecords, "12 min and any number of requests."},
		{catalogue.Zh, 500, "12 分钟、500 个"}, {catalogue.Zh, AnyRecords, "12 分钟、任意多个"},
	} {
		args := map[string]any{"minutes": 30, "records": 700, "most_minutes": 12}
		SayRecords(args, "most_records", c.most)
		if text := Because(c.lang, continuity.CheckReason{Code: asksLimits, Args: args}); !strings.Contains(text, c.want) {
			t.Errorf("%s lacks %q", text, c.want)
		}
	}
}
