// Package consensus decides what is valid and what it changes. It follows Bitcoin's rules as Bitcoin
// Core 28 enforces them and is pure: it starts no goroutine, holds no lock and reads neither clock nor
// disk. The time and the coins that a block spends are arguments, so every error it returns is a
// RuleError, and none can be the disk's.
//
// A State is a place in the header tree; CheckHeader moves it. CheckBlock judges a block alone,
// CheckBlockPlace judges it at its place, Connect judges it with the coins it spends and says what it
// changes, and ScriptChecks hands out the signature work, to be run on any goroutine.
package consensus
