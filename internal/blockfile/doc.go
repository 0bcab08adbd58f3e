// Package blockfile keeps blocks and undo records in append-only files, and reads and writes the file format in which
// Bitcoin nodes exchange blocks.
//
// A record of our own files is the network's magic, the payload's length, a CRC32C and the payload. What was not synced
// may be torn after a crash, so Open cuts each file behind its last good record; records that the caller knows to be synced
// are never cut. The package knows nothing of what is in a payload.
package blockfile
