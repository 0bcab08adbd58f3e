package store

import (
	"encoding/binary"
	"hash/crc32"
)

const sumSize = 4

// checksum is over key and value, so that a value under a wrong key is noticed too.
func checksum(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // made once by the library
	return crc32.Update(crc32.Checksum(key, table), table, value)
}

// seal returns value with its checksum in front.
func seal(key, value []byte) []byte {
	out := make([]byte, sumSize, sumSize+len(value))
	binary.LittleEndian.PutUint32(out, checksum(key, value))
	return append(out, value...)
}

// unseal returns the value in sealed, which it shares, or ErrDamaged.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < sumSize {
		return nil, ErrDamaged
	}
	value := sealed[sumSize:]
	if binary.LittleEndian.Uint32(sealed) != checksum(key, value) {
		return nil, ErrDamaged
	}
	return value, nil
}
