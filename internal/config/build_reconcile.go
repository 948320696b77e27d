package config

import "holdfast/internal/continuity"

func buildReconcile(r *reconcileBlock) *continuity.Reconcile {
	if !r.Set {
		return nil
	}
	out := &continuity.Reconcile{
		Driver: r.Driver.V, Query: r.Query.V, Methods: r.Methods.Values(), Amount: r.Amount.V, Currency: r.Currency.V,
		Applied: r.Applied.V,
	}
	if r.Driver.V == "http" {
		out.DSN = r.URL.V
		out.Pages = &continuity.Pages{
			Items: r.Pages.Items.V, Key: r.Pages.Key.V, Amount: r.Pages.Amount.V, Currency: r.Pages.Currency.V,
			Next: r.Pages.Next.V, Cursor: r.Pages.Cursor.V,
		}
	}
	return out
}

var commas = map[string]rune{"comma": ',', "semicolon": ';', "tab": '\t'}

func buildSettlement(s *settlementBlock) *continuity.Settlement {
	if !s.Set {
		return nil
	}
	return &continuity.Settlement{
		Key: s.Key.V, Amount: s.Amount.V, Fee: s.Fee.V, Net: s.Net.V, Currency: s.Currency.V, Code: s.Code.V,
		Comma: commas[s.Comma.V], Encoding: s.Encoding.V, Cutoff: s.Cutoff.V, Zone: s.Zone.V, Slack: s.Slack.V,
		RecordAmount: s.RecordAmount.V, RecordCurrency: s.RecordCurrency.V, Methods: s.Methods.Values(),
	}
}
