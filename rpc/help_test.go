package rpc

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHelpOfOneMethod(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{
		"getblockcount": "getblockcount\n\nReturns the height of the most-work fully-validated chain.\nThe genesis block has height 0.\n\nResult:\nn    (numeric) The current block count",
		"getnetworkhashps": "getnetworkhashps ( nblocks height )\n\n" +
			"Returns the estimated network hashes per second based on the last n blocks.\nPass in [blocks] to override # of blocks, -1 specifies since last difficulty change.\n" +
			"Pass in [height] to estimate the network speed at the time when a certain block was found.\n\n" +
			"Arguments:\n1. nblocks    (numeric, optional, default=120) The number of previous blocks to calculate estimate from, or -1 for blocks since last difficulty change.\n" +
			"2. height     (numeric, optional, default=-1) To estimate at the time of the given height.\n\nResult:\nn    (numeric) Hashes per second estimated",
		"stop": "stop\n\nRequest a graceful shutdown of groat.\n\nResult:\n\"str\"    (string) A string with the content 'groat stopping'",
		"nope": "help: unknown command: nope",
	} {
		if got := r.table.help(name); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"getblock":             `getblock "blockhash" ( verbosity )`,
		"sendrawtransaction":   `sendrawtransaction "hexstring" ( maxfeerate maxburnamount )`,
		"createrawtransaction": `createrawtransaction [{"txid":"hex","vout":n,"sequence":n},...] [{"address":amount,...},{"data":"hex"},...] ( locktime replaceable )`,
		"generateblock":        `generateblock "output" ["rawtx/txid",...] ( submit )`,
	} {
		if got := r.table[name].synopsis(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestHelpList(t *testing.T) {
	r := newRig(t)
	list := r.table.help("")
	var categories []string
	for _, line := range strings.Split(list, "\n") {
		if strings.HasPrefix(line, "== ") {
			categories = append(categories, line)
		}
	}
	if want := []string{"== Blockchain ==", "== Control ==", "== Mining ==", "== Network ==", "== Rawtransactions ==", "== Util ==", "== Wallet ==", "== Zmq =="}; !slices.Equal(categories, want) {
		t.Errorf("categories %v", categories)
	}
	if !strings.HasPrefix(list, "== Blockchain ==\ngetbestblockhash\ngetblock \"blockhash\" ( verbosity )\ngetblockchaininfo\n") {
		t.Errorf("list\n%s", list)
	}
	if strings.Contains(list, "generatetoaddress") {
		t.Error("the list has hidden methods")
	}
	if got := r.table.help("generatetoaddress"); !strings.HasPrefix(got, `generatetoaddress nblocks "address" ( maxtries )`) {
		t.Errorf("hidden methods have no help: %s", got)
	}
}

func TestEveryMethodIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "rpc.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Methods")
	list, _, _ := strings.Cut(rest, "## Differences")
	for name := range newRig(t).table {
		if !strings.Contains(list, "`"+name+"`") {
			t.Errorf("docs/rpc.md does not name %s", name)
		}
	}
}

// TestTable holds every row to what the dispatcher and the help need.
func TestTable(t *testing.T) {
	r := newRig(t)
	for name, m := range r.table {
		if m.Name != name || m.Run == nil || m.Category == "" || m.Help == "" || (m.Result == "" && name != "generate") {
			t.Errorf("%s: an incomplete row: %+v", name, m)
		}
		seen := map[string]bool{"args": true}
		for _, a := range m.Args {
			for _, n := range append([]string{a.Name}, a.Aliases...) {
				if n == "" || seen[n] {
					t.Errorf("%s: argument name %q", name, n)
				}
				seen[n] = true
			}
			if a.Help == "" && !strings.HasPrefix(name, "echo") {
				t.Errorf("%s: argument %s has no help", name, a.Name)
			}
			if a.Required && a.Default != "" {
				t.Errorf("%s: argument %s is required and has a default", name, a.Name)
			}
		}
	}
	for _, name := range strings.Fields(`getblockchaininfo getblockcount getbestblockhash getblockhash getblock getblockheader getchaintips getdifficulty gettxout gettxoutsetinfo
		getrawtransaction sendrawtransaction testmempoolaccept getrawmempool getmempoolinfo getmempoolentry getmempoolancestors getmempooldescendants decoderawtransaction
		decodescript createrawtransaction validateaddress getblocktemplate submitblock submitheader getmininginfo getnetworkhashps generatetoaddress generatetodescriptor generateblock generate
		invalidateblock reconsiderblock preciousblock waitfornewblock waitforblock waitforblockheight syncwithvalidationinterfacequeue getnetworkinfo getpeerinfo addnode
		disconnectnode getaddednodeinfo getconnectioncount getnettotals setnetworkactive ping setmocktime help stop uptime getrpcinfo echo echojson getmemoryinfo estimatesmartfee
		getdeploymentinfo getchaintxstats createwallet getnewaddress getbalance listunspent sendtoaddress gettransaction`) {
		if _, ok := Signature(name); !ok {
			t.Errorf("no method %s", name)
		}
	}
	if _, ok := Signature("nope"); ok {
		t.Error("a method that does not exist has a signature")
	}
}
