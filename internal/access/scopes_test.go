package access

import "testing"

func TestEachRoleHasWhatTheOneBeforeItHas(t *testing.T) {
	before, last := Set{}, Role("")
	for _, role := range Roles() {
		has := role.Scopes()
		for scope := range before {
			if !has.Has(scope) {
				t.Errorf("%s lacks %s, which %s has", role, scope, last)
			}
		}
		if len(has) <= len(before) {
			t.Errorf("%s may no more than %s", role, last)
		}
		if !role.Above(last) || last.Above(role) || role.Above(role) {
			t.Errorf("%s is not above %s", role, last)
		}
		before, last = has, role
	}
	if got := len(Scopes()); got != len(before) {
		t.Errorf("%d scopes, admin has %d", got, len(before))
	}
	if Viewer.Scopes().Has(PlansWrite) || Operator.Scopes().Has(PlansApprove) || Commander.Scopes().Has(UsersWrite) {
		t.Error("a role has what belongs to a higher one")
	}
	if r := Role("root"); r.Known() || len(r.Scopes()) != 0 || r.Above(Viewer) {
		t.Error("an unknown role may something")
	}
}

func TestASetWithinAnother(t *testing.T) {
	got := SetOf(PlansRead, UsersWrite).Within(Operator.Scopes())
	if !got.Has(PlansRead) || got.Has(UsersWrite) || len(got) != 1 {
		t.Errorf("got %v", got.List())
	}
}
