// Package message sends notifications of changed host states: by a webhook, by mail, and by
// a regular ping whose absence raises an alarm elsewhere.
//
// The caller passes the states of all hosts to a Messenger every few seconds (Offer). Each
// channel sends one message for all changes, at most one a minute, and not before Wait after
// the first change, so that hosts that fail together are in one message. A problem that lasts
// is sent again once a day. A channel that fails is retried and is reported as a problem itself
// (Problems). What was sent is saved by Config.Save: a restart neither repeats nor omits it.
package message
