// Package chain keeps the best chain on disk: the tree of headers, blocks and their undo records, the coins, and the tip that
// they belong to. It judges nothing itself: package consensus says what is valid, and a ScriptVerifier runs the scripts.
//
// Blocks and undo records lie in append-only files, the index of blocks and the coins in a Store. New coins gather in memory
// and are flushed together, files first, so that whenever the process ends, Open finds a tip that was once the tip, with exactly its
// coins, and connects again what had been stored after it.
//
// Blocks and headers may be added by many goroutines at once. One at a time moves the tip; those who read are held up for
// moments only, and never by scripts. Followers are woken by a token and ask Since for what happened.
package chain
