// Package node makes one running node of the parts: it opens them in order, introduces them to each other, runs them, and
// closes them in the opposite order. It owns the data directory, the clock and the database; it decides nothing about
// blocks, transactions or peers. It is the only package that knows all the others.
package node
