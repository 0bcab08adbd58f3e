package rpc

import "testing"

// The key, address and signature are those of Bitcoin Core's rpc_signmessagewithprivkey.py.
func TestMessages(t *testing.T) {
	r := newRig(t)
	const (
		key       = "cUeKHd5orzT3mz8P9pxyREHfsWtVfgsfDjiZZBcjUBAaGk1BTj7N"
		address   = "mpLQjfK79b7CCV4VMJWEWAj5Mpx8Up5zxB"
		signature = "INbVnW4e6PeRmsv2Qgu8NuopvrVjkcxob+sX8OcZG0SALhWybUjzMLPdAsXI46YZGb0KQTRii+wWIQzRpG/U+S0="
		message   = "This is just a test message"
	)
	r.wants("signmessagewithprivkey", `["`+key+`","`+message+`"]`, `"`+signature+`"`)
	r.wants("verifymessage", `["`+address+`","`+signature+`","`+message+`"]`, `true`)
	r.wants("verifymessage", `["`+address+`","`+signature+`","another"]`, `false`)
	r.wants("verifymessage", `["`+address+`","","`+message+`"]`, `false`)
	r.wants("verifymessage", `["mvSvTtvD9H9fkgi8MGDyLALgRaR2LhnWFM","`+signature+`","`+message+`"]`, `false`)
	r.refuses("verifymessage", `["invalid_addr","`+signature+`","`+message+`"]`, -5, "Invalid address")
	r.refuses("verifymessage", `["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080","`+signature+`","`+message+`"]`, -3, "Address does not refer to key")
	r.refuses("verifymessage", `["`+address+`","invalid_sig","`+message+`"]`, -3, "Malformed base64 encoding")
	r.refuses("signmessagewithprivkey", `["invalid_key","`+message+`"]`, -5, "Invalid private key")
}
