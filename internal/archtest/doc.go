// Package archtest holds the test of the project's shape: which package may import which. It has no other content.
package archtest
