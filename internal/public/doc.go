// Package public serves what people and providers outside the company's network
// need: the page on which a notification is acknowledged, and the addresses at
// which providers of channels say what became of messages. Nothing else is served.
//
// Invariants:
//
//   - Only a POST of the page's own form acknowledges. Previews of links, scanners
//     of mail and whoever else follows a link change nothing.
//   - A token that is wrong, unknown or over gets one and the same answer.
//   - A body is read for a known channel only, up to 1 MiB and within a deadline;
//     what it says counts once the channel has verified its signature.
//   - What one address may ask is bounded, and so is what is remembered of
//     addresses, connections and bodies.
//   - The page needs no script, no cookie and nothing from elsewhere, and sends
//     nobody on with a referrer.
package public
