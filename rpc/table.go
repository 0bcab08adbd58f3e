package rpc

import "slices"

// table has the methods by name.
type table map[string]*Method

// newTable returns the methods of a server with these parts.
func newTable(s *Server, p Parts) table {
	a := &api{Parts: p, version: s.opts.Version, now: s.opts.Now, log: s.opts.Log}
	t := make(table)
	for _, m := range rows(a) {
		t[m.Name] = &m
	}
	for _, m := range controlMethods(s, t) {
		t[m.Name] = &m
	}
	return t
}

// rows returns the methods that ask the parts of a node.
func rows(a *api) []Method {
	return slices.Concat(
		a.blockMethods(), a.chainMethods(), a.coinMethods(), a.waitMethods(),
		a.poolMethods(), a.submitMethods(), a.txMethods(), a.scriptMethods(), a.descriptorMethods(), a.signMethods(), a.messageMethods(), []Method{a.multisigMethod()}, a.proofMethods(), a.scanMethods(), a.statsMethods(), a.verifyMethods(),
		a.miningMethods(), a.templateMethods(), a.generateMethods(),
		a.networkMethods(), a.nodeMethods(), a.walletMethods(),
	)
}

// Signature returns the arguments of a method, and false if there is no such method.
func Signature(method string) ([]Arg, bool) {
	m, ok := newTable(&Server{}, Parts{})[method]
	if !ok {
		return nil, false
	}
	return m.Args, true
}
