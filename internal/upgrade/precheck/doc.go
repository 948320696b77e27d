// Package precheck looks, before an upgrade, whether the machine, the network, the
// database and the people are what the upgrade needs.
//
// Gather reads facts and judges none; Judge makes findings of facts and needs and
// reads nothing, so that what an upgrade would meet elsewhere can be asked, too. What
// could not be read is never taken for good: it is a finding with the reason.
package precheck
