package checkmark_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/checkmark"
)

func TestOnlyWhoHasTheKeyMarks(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	now := time.Now()
	r, err := http.NewRequest(http.MethodPost, "http://shop.example/orders?a=1", strings.NewReader("an order"))
	if err != nil {
		t.Fatal(err)
	}
	checkmark.Set(r, key, "place-order", now)
	value := r.Header.Get(checkmark.Header)
	for name, c := range map[string]struct {
		value, method, host, target string
		key                         []byte
		at                          time.Time
		ok                          bool
	}{
		"good":           {value, "POST", "shop.example", "/orders?a=1", key, now.Add(50 * time.Second), true},
		"later":          {value, "POST", "shop.example", "/orders?a=1", key, now.Add(2 * time.Minute), false},
		"earlier":        {value, "POST", "shop.example", "/orders?a=1", key, now.Add(-2 * time.Minute), false},
		"another key":    {value, "POST", "shop.example", "/orders?a=1", other, now, false},
		"no key":         {value, "POST", "shop.example", "/orders?a=1", nil, now, false},
		"another method": {value, "PUT", "shop.example", "/orders?a=1", key, now, false},
		"another host":   {value, "POST", "other.example", "/orders?a=1", key, now, false},
		"another target": {value, "POST", "shop.example", "/orders?a=2", key, now, false},
		"another body":   {strings.Join(append(strings.Split(value, ";")[:2], "x", strings.Split(value, ";")[3]), ";"), "POST", "shop.example", "/orders?a=1", key, now, false},
		"another check":  {strings.Replace(value, "place", "other", 1), "POST", "shop.example", "/orders?a=1", key, now, false},
		"bare":           {"place-order", "POST", "shop.example", "/orders?a=1", key, now, false},
		"empty":          {"", "POST", "shop.example", "/orders?a=1", key, now, false},
	} {
		m, ok := checkmark.Verify(c.value, c.key, c.method, c.host, c.target, c.at)
		if ok != c.ok || ok && (m.Check != "place-order" || !m.Covers([]byte("an order")) || m.Covers([]byte("another")) || m.Covers(nil)) {
			t.Errorf("%s: %+v, %v", name, m, ok)
		}
	}
	checkmark.Set(r, nil, "place-order", now)
	if got := r.Header.Get(checkmark.Header); got != "place-order" {
		t.Errorf("without a key: %q", got)
	}
}
