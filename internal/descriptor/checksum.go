package descriptor

import "strings"

// The two alphabets of a descriptor's checksum (BIP380).
const (
	descriptorChars = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumChars = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// Checksum returns the eight characters that follow a descriptor's # (BIP380). It returns "" if there is a
// character in it that no descriptor has.
func Checksum(descriptor string) string {
	c, class, classes := uint64(1), 0, 0
	for i := range len(descriptor) {
		pos := strings.IndexByte(descriptorChars, descriptor[i])
		if pos < 0 {
			return ""
		}
		c = checksumStep(c, uint64(pos&31))
		class = class*3 + pos>>5
		if classes++; classes == 3 {
			c, class, classes = checksumStep(c, uint64(class)), 0, 0
		}
	}
	if classes > 0 {
		c = checksumStep(c, uint64(class))
	}
	for range 8 {
		c = checksumStep(c, 0)
	}
	c ^= 1
	var text [8]byte
	for i := range text {
		text[i] = checksumChars[c>>(5*(7-i))&31]
	}
	return string(text[:])
}

// checksumStep takes five more bits into the checksum's polynomial.
func checksumStep(c, value uint64) uint64 {
	top := c >> 35
	c = (c&0x7ffffffff)<<5 ^ value
	for i, generator := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			c ^= generator
		}
	}
	return c
}
