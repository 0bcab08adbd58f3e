// Package p2p joins a node to its network over libp2p: it finds peers and keeps them, agrees with them on the network,
// relays transactions and blocks, downloads what is missing and serves what is here.
//
// It owns the libp2p host, the peers and their scores and bans. It decides nothing about validity: the chain and the pool
// do, and p2p turns their answers into relay, silence or blame. The wire protocol is described in docs/protocol.md.
//
// What decides is written as state machines without I/O (txplan.go, syncplan.go, dialplan.go, compact.go); the files next to them
// are thin shells that read, write and wait.
package p2p
