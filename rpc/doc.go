// Package rpc answers JSON-RPC as Bitcoin Core 28 does: the same methods, arguments, result fields, error
// codes and texts, over HTTP with Basic authentication, in JSON-RPC 1.x and 2.0, alone and in batches.
//
// A Server owns the listener, the cookie file and the table of methods. It answers from the moment Run is
// called, and refuses every method with code -28 until Ready hands it the parts of the node. The rules
// of the ledger are not here: the parts decide, and this package puts their answers into Core's words.
package rpc
