// Package wallet keeps keys and the coins they can spend: words (BIP39), addresses (BIP84), a file for each wallet, and payments that it signs.
// Each wallet follows the chain from a place of its own, so it neither misses nor repeats a block. The package owns the wallet
// files. It decides nothing about validity: what it hands to the pool is judged there as anybody's transaction.
package wallet
