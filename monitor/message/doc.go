// Package message tells people what changed: by a webhook, by mail, and by the absence of a
// ping.
//
// A Messenger is given how all hosts are, every few seconds (Offer), and each of its channels
// sends one message for all that changed: not before Wait after the first change, so that
// hosts that vanish together are in one message, and at most one a minute. What lasts is told
// again once a day. A channel that fails is tried again, and is a problem itself (Problems).
// What was told is kept through Config.Save, so a restart neither repeats nor forgets.
package message
