// Package numbers knows what a dialled number is: under the numbering plan of the trunk that it came from, as an
// emergency call, an extension, a short number or a number of the world (E.164). It does not know who calls, nor where
// calls go.
package numbers
