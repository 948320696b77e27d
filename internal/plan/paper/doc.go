// Package paper carries plans to paper and from spreadsheets: Cards makes of a
// plan and its people what package cards prints, Import makes of the rows of a
// business impact analysis (package bia) the beginning of a plan.
//
// Neither cards nor bia knows the plan language, and the language knows neither
// of them.
package paper
