// Package outgoing knows what may be called out: which numbers, how many calls at once, how many minutes a day and how
// long each (docs/calling-out.md). It does not know how a call is made, nor who answers.
//
// [Rules] say what the configuration allows; a [Ledger] gives a [Permit] for each call, and counts; its [Store] holds the
// counters, so that two calls never take the last one.
package outgoing
