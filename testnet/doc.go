// Package testnet runs networks of real nodes on one machine: processes of the groat binary on regtest, each with its own data
// directory and ports that the system chose. It drives them from outside, by signals and RPC, so that whatever a network does here
// any other program could do too. It knows nothing of what happens inside a node.
package testnet
