package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/address"
	"groat/internal/chaintest"
	"groat/internal/ledger"
	"groat/wallet"
)

// Since makes the fake chain one that wallets can follow.
func (f *fakeChain) Since(place chainhash.Hash, most int) (ledger.Path, error) {
	var path ledger.Path
	n, ok := f.nodes[place]
	if !ok {
		return path, ledger.ErrUnknownBlock
	}
	ref := func(n *chaintest.Node) ledger.Ref { return ledger.Ref{Hash: n.State.Hash, Height: n.State.Height} }
	for int(n.State.Height) >= len(f.path()) || f.path()[n.State.Height] != n {
		path.Undo = append(path.Undo, ref(n))
		n = n.Parent
	}
	for h := int(n.State.Height) + 1; h < len(f.path()) && len(path.Connect) < most; h++ {
		path.Connect = append(path.Connect, ref(f.path()[h]))
	}
	return path, nil
}

// walletPool is a fake pool that keeps what wallets send.
type walletPool struct{ *walletRig }

func (p walletPool) Add(ctx context.Context, tx *consensus.Tx) (ledger.PoolEntry, error) {
	if p.refusal != nil {
		return ledger.PoolEntry{}, p.refusal
	}
	p.pool.entries = append(p.pool.entries, ledger.PoolEntry{Tx: tx, AncestorCount: 1, DescendantCount: 1, AncestorSize: tx.VSize(), AncestorFees: 500})
	return p.pool.Add(ctx, tx)
}

func (p walletPool) Entry(id chainhash.Hash) (ledger.PoolEntry, bool) { return p.pool.Entry(id) }
func (p walletPool) Info() ledger.PoolInfo                            { return p.pool.Info() }

func (p walletPool) Since(seq uint64, most int) ([]*consensus.Tx, uint64) {
	var txs []*consensus.Tx
	for _, e := range p.pool.entries[seq:min(len(p.pool.entries), int(seq)+most)] {
		txs = append(txs, e.Tx)
	}
	return txs, seq + uint64(len(txs))
}

func (p walletPool) Watch() (<-chan struct{}, func()) { return make(chan struct{}), func() {} }

// testWallets are real wallets behind the interface, as package node hands them over.
type testWallets struct{ *wallet.Wallets }

func (w testWallets) Wallet(name string) (Wallet, error) {
	one, err := w.Get(name)
	if err != nil {
		return nil, err
	}
	return one, nil
}

// walletRig is a rig with wallets.
type walletRig struct {
	*rig
	tip     string
	dir     string
	refusal error // of the pool, for all that wallets send
}

func newWalletRig(t *testing.T) *walletRig {
	r := &walletRig{rig: newRigWithout(t), tip: chaintest.Root, dir: t.TempDir()}
	ws, err := wallet.Open(wallet.Options{
		Dir: r.dir, Params: r.tree.Params, Chain: r.chain, Pool: walletPool{r}, Now: func() time.Time { return r.now }, Log: discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ws.Close(); err != nil {
			t.Error(err)
		}
	})
	r.use(Parts{Params: r.tree.Params, Wallets: testWallets{ws}})
	return r
}

// mine adds a block whose coinbase pays to an address; "" for nobody.
func (r *walletRig) mine(to string, txs ...*wire.MsgTx) {
	r.t.Helper()
	mods := []chaintest.Mod{chaintest.Txs(txs...)}
	if to != "" {
		script, err := address.Decode(r.tree.Params, to)
		if err != nil {
			r.t.Fatal(err)
		}
		mods = append(mods, chaintest.Coinbase(func(tx *wire.MsgTx) { tx.TxOut[0].PkScript = script }))
	}
	name := fmt.Sprintf("w%d", r.chain.Tip().Height+1)
	r.tree.Block(r.tip, name, mods...)
	r.tip = name
	r.chain.setTip(name)
}

// on calls a method on /wallet/NAME and returns what it returns as JSON.
func (r *walletRig) on(name, method, params string) (string, error) {
	r.t.Helper()
	v, err := parseValue(params)
	if err != nil {
		r.t.Fatal(err)
	}
	result, err := r.table[method].call(r.t.Context(), &Call{Wallet: name, HasWallet: true, idle: func(wait func()) { wait() }}, v)
	if err != nil {
		return "", err
	}
	text, err := marshal(result)
	return string(text), err
}

// text calls a method that returns a string.
func (r *walletRig) text(method, params string) string {
	r.t.Helper()
	result, err := r.call(method, params)
	if err != nil {
		r.t.Fatalf("%s%s: %v", method, params, err)
	}
	text, ok := result.(string)
	if !ok {
		r.t.Fatalf("%s%s returns %v", method, params, result)
	}
	return text
}

func TestWhichWallet(t *testing.T) {
	r := newWalletRig(t)
	r.refuses("getbalance", `[]`, -18, "No wallet is loaded. Load a wallet using loadwallet or create a new one with createwallet. (Note: A default wallet is no longer automatically created)")
	r.wants("createwallet", `["a"]`, `{"name":"a"}`)
	r.wants("getbalance", `[]`, `0.00000000`)
	r.wants("createwallet", `["b",false,false,""]`, `{"name":"b","warnings":["Empty string given as passphrase, wallet will not be encrypted."]}`)
	r.refuses("getbalance", `[]`, -19, "Wallet file not specified (must request wallet RPC through /wallet/<filename> uri-path).")
	if got, err := r.on("b", "getbalance", `[]`); err != nil || got != "0.00000000" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := r.on("c", "getbalance", `[]`); asError(err) != (Error{-18, "Requested wallet does not exist or is not loaded"}) {
		t.Error(err)
	}
	r.wants("listwallets", `[]`, `["a","b"]`)
	if _, err := r.on("a", "unloadwallet", `["b"]`); asError(err) != (Error{-8, "RPC endpoint wallet and wallet_name parameter specify different wallets"}) {
		t.Error(err)
	}
	r.refuses("unloadwallet", `[]`, -3, "JSON value of type null is not of expected type string")
	r.wants("unloadwallet", `["b"]`, `{}`)
	r.refuses("unloadwallet", `["b"]`, -18, "Requested wallet does not exist or is not loaded")
	r.wants("listwalletdir", `[]`, `{"wallets":[{"name":"a"},{"name":"b"}]}`)
	r.wants("loadwallet", `["b"]`, `{"name":"b"}`)
	r.refuses("loadwallet", `["b"]`, -35, `Wallet "b" is already loaded.`)
	r.refuses("loadwallet", `["c"]`, -18, "Wallet file verification failed. Failed to load database path '"+r.dir+"/c.wallet'. Path does not exist.")
	r.refuses("createwallet", `["b"]`, -4, "Wallet file verification failed. Failed to create database path '"+r.dir+"/b.wallet'. Database already exists.")
	for i, want := range map[int]string{
		1: "Wallets without private keys are not supported",
		2: "Blank wallets are not supported",
		4: "The avoid_reuse flag is not supported",
		7: "Compiled without external signing support (required for external signing)",
	} {
		r.refuses("createwallet", `["c"`+strings.Repeat(",null", i-1)+`,true]`, -4, want)
	}
	r.refuses("createwallet", `["c",null,null,null,null,false]`, -4, "Compiled without bdb support (required for legacy wallets)")
}

func TestWalletStory(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	to := r.text("getnewaddress", `["till"]`)
	r.mine(to)
	for range 99 {
		r.mine("")
	}
	r.wants("getbalances", `[]`, fmt.Sprintf(`{"mine":{"trusted":0.00000000,"untrusted_pending":0.00000000,"immature":50.00000000},"lastprocessedblock":{"hash":"%v","height":100}}`, r.chain.Tip().Hash))
	r.wants("listunspent", `[]`, `[]`)
	r.mine("")
	r.wants("getbalance", `["*",101]`, `50.00000000`)
	r.wants("getbalance", `["*",102]`, `0.00000000`)
	r.refuses("getbalance", `["all"]`, -32, `dummy first argument must be excluded or set to "*".`)

	elsewhere, _ := address.Encode(r.tree.Params, chaintest.KeyFor(7).Script(chaintest.P2TR))
	id := r.text("sendtoaddress", `{"address":"`+elsewhere+`","amount":"12.5","fee_rate":3}`)
	sent := r.pool.entries[0].Tx
	fee := int64(3 * (sent.VSize()))
	if sent.TxID().String() != id {
		t.Fatalf("%s was said, %v was sent", id, sent.TxID())
	}
	got := r.fields("gettransaction", `["`+id+`",false,true]`)
	parts := got["details"].([]any)
	part := parts[0].(map[string]any)
	if got["amount"] != -12.5 || got["confirmations"] != 0.0 || got["trusted"] != true || got["hex"] != hex.EncodeToString(sent.Raw()) || len(parts) != 1 ||
		part["category"] != "send" || part["address"] != elsewhere || part["amount"] != -12.5 || got["decoded"].(map[string]any)["txid"] != id {
		t.Errorf("%v", got)
	}
	if paid := -got["fee"].(float64) * satUnit; paid < float64(fee)-1 || paid > float64(fee)+10 {
		t.Errorf("the fee is %v, want about %d", got["fee"], fee)
	}
	change := r.fields("getaddressinfo", `["`+r.changeOf(sent, elsewhere)+`"]`)
	if change["ismine"] != true || change["ischange"] != true || change["hdkeypath"] != "m/84h/1h/0h/1/0" || len(change["labels"].([]any)) != 0 {
		t.Errorf("change: %v", change)
	}
	own := r.fields("getaddressinfo", `["`+to+`"]`)
	if own["ismine"] != true || own["hdkeypath"] != "m/84h/1h/0h/0/0" || own["labels"].([]any)[0] != "till" || !strings.HasPrefix(own["desc"].(string), "wpkh([") {
		t.Errorf("own address: %v", own)
	}
	if theirs := r.fields("getaddressinfo", `["`+elsewhere+`"]`); theirs["ismine"] != false || theirs["isscript"] != true || theirs["witness_version"] != 1.0 {
		t.Errorf("another's address: %v", theirs)
	}
	r.mine("", sent.Msg)
	r.has("gettransaction", `["`+id+`"]`, map[string]any{"confirmations": 1.0, "blockheight": 102.0, "blockindex": 1.0, "bip125-replaceable": "no"})
	r.refuses("gettransaction", `["`+unknownHash+`"]`, -5, "Invalid or non-wallet transaction id")
	r.refuses("abandontransaction", `["`+id+`"]`, -5, "Transaction not eligible for abandonment")
	r.has("getwalletinfo", `[]`, map[string]any{"walletname": "w", "txcount": 2.0, "scanning": false, "keypoolsize": 20.0, "private_keys_enabled": true, "blank": false})
	r.wants("rescanblockchain", `[5]`, `{"start_height":5,"stop_height":102}`)
	r.refuses("rescanblockchain", `[103]`, -8, "Invalid start_height")
	r.refuses("rescanblockchain", `[5,4]`, -8, "stop_height must be greater than start_height")
	r.has("getwalletinfo", `[]`, map[string]any{"txcount": 2.0})
}

// changeOf returns the address of the output that does not pay to the other.
func (r *walletRig) changeOf(tx *consensus.Tx, other string) string {
	for _, out := range tx.Msg.TxOut {
		if text, ok := address.Encode(r.tree.Params, out.PkScript); ok && text != other {
			return text
		}
	}
	r.t.Fatal("no change")
	return ""
}

func TestListTransactions(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	labelled, plain := r.text("getnewaddress", `["x"]`), r.text("getnewaddress", `[]`)
	r.mine(labelled)
	r.mine(plain)
	r.mine(labelled)
	list := func(params string) []string {
		result, err := r.call("listtransactions", params)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range result.([]listedJSON) {
			got = append(got, fmt.Sprintf("%d %s %s", *e.BlockHeight, e.Category, *e.Label))
		}
		return got
	}
	for params, want := range map[string]string{
		`[]`:          "1 immature x; 2 immature ; 3 immature x",
		`["*",1]`:     "3 immature x",
		`["*",1,1]`:   "2 immature ",
		`["*",10,2]`:  "1 immature x",
		`["*",10,5]`:  "",
		`["x"]`:       "1 immature x; 3 immature x",
		`["x",1,1]`:   "1 immature x",
		`["nothing"]`: "",
		`["*",0]`:     "",
	} {
		if got := strings.Join(list(params), "; "); got != want {
			t.Errorf("%s: %q, want %q", params, got, want)
		}
	}
	r.refuses("listtransactions", `[""]`, -8, `Label argument must be a valid label name or "*".`)
	r.refuses("listtransactions", `["*",-1]`, -8, "Negative count")
	r.refuses("listtransactions", `["*",1,-1]`, -8, "Negative from")
}

func TestListUnspent(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	a, b := r.text("getnewaddress", `[]`), r.text("getnewaddress", `[]`)
	r.mine(a)
	r.mine(b)
	for range 101 {
		r.mine("")
	}
	count := func(params string) int {
		result, err := r.call("listunspent", params)
		if err != nil {
			t.Fatalf("%s: %v", params, err)
		}
		return len(result.([]coinJSON))
	}
	for params, want := range map[string]int{
		`[]`:                                2,
		`[103]`:                             1,
		`[1,102]`:                           1,
		`[1,9999999,["` + a + `"]]`:         1,
		`[1,9999999,["` + elseKey() + `"]]`: 0,
		`{"query_options":{"minimumAmount":50.00000001}}`: 0,
		`{"query_options":{"maximumAmount":50}}`:          2,
		`{"query_options":{"maximumCount":1}}`:            1,
		`{"query_options":{"minimumSumAmount":50}}`:       1,
		`{"query_options":{"minimumSumAmount":50.1}}`:     2,
	} {
		if got := count(params); got != want {
			t.Errorf("%s: %d coins, want %d", params, got, want)
		}
	}
	r.mine(a)
	if got := count(`{"minconf":0,"query_options":{"include_immature_coinbase":true}}`); got != 3 {
		t.Errorf("with immature coins there are %d", got)
	}
	r.refuses("listunspent", `[1,9999999,["`+a+`","`+a+`"]]`, -8, "Invalid parameter, duplicated address: "+a)
	r.refuses("listunspent", `[1,9999999,["x"]]`, -5, "Invalid Bitcoin address: x")
}

// elseKey is an address that no wallet of the tests has.
func elseKey() string {
	text, _ := address.Encode(consensus.Regtest(), chaintest.KeyFor(9).Script(chaintest.P2WPKH))
	return text
}

func TestSendRefusals(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	own := r.text("getnewaddress", `[]`)
	r.mine(own)
	for range 100 {
		r.mine("")
	}
	to := elseKey()
	for _, v := range []struct {
		method, params string
		code           int
		message        string
	}{
		{"sendtoaddress", `["` + to + `",50]`, -6, "Insufficient funds"},
		{"sendtoaddress", `["` + to + `",0.00000001]`, -6, "Transaction amount too small"},
		{"sendtoaddress", `["` + to + `",0]`, -6, "Transaction amount too small"},
		{"sendtoaddress", `["` + to + `",-1]`, -3, "Amount out of range"},
		{"sendtoaddress", `["` + to + `","1,5"]`, -3, "Invalid amount"},
		{"sendtoaddress", `["` + to + `",true]`, -3, "Amount is not a number or string"},
		{"sendtoaddress", `["nowhere",1]`, -5, "Invalid Bitcoin address: nowhere"},
		{"sendtoaddress", `["bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",1]`, -5,
			"Invalid Bitcoin address: bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu (This address belongs to the network bitcoin, not to regtest)"},
		{"sendtoaddress", `{"address":"` + to + `","amount":1,"fee_rate":0.999}`, -6, "Fee rate (0.999 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)"},
		{"sendtoaddress", `{"address":"` + to + `","amount":1,"fee_rate":0}`, -6, "Fee rate (0.000 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)"},
		{"sendtoaddress", `{"address":"` + to + `","amount":1,"fee_rate":1.0001}`, -3, "Invalid amount"},
		{"sendtoaddress", `{"address":"` + to + `","amount":1,"fee_rate":2,"estimate_mode":"economical"}`, -8, "Cannot specify both estimate_mode and fee_rate"},
		{"sendtoaddress", `{"address":"` + to + `","amount":1,"estimate_mode":"soon"}`, -8, `Invalid estimate_mode parameter, must be one of: "unset", "economical", "conservative"`},
		{"sendtoaddress", `{"address":"` + to + `","amount":1,"conf_target":0}`, -8, "Invalid conf_target, must be between 1 and 1008"},
		{"sendmany", `["x",{"` + to + `":1}]`, -8, `Dummy value must be set to ""`},
		{"sendmany", `["",{"` + to + `":1,"` + strings.ToUpper(to) + `":1}]`, -8, "Invalid parameter, duplicated address: " + strings.ToUpper(to)},
		{"sendmany", `["",{"` + to + `":1},1,"",["` + own + `"]]`, -8, "Invalid parameter 'subtract fee from output', destination " + own + " not found in tx outputs"},
		{"sendmany", `["",{}]`, -6, "Transaction must have at least one recipient"},
		{"getnewaddress", `["*"]`, -11, "Invalid label name"},
		{"getnewaddress", `["","legacy"]`, -12, "Error: No legacy addresses available."},
		{"getrawchangeaddress", `["taproot"]`, -5, "Unknown address type 'taproot'"},
		{"getaddressinfo", `["x"]`, -5, "Invalid checksum or length of Base58 address (P2PKH or P2SH)"},
	} {
		r.refuses(v.method, v.params, v.code, v.message)
	}
	if len(r.pool.entries) != 0 {
		t.Fatal("something was sent")
	}
	id := r.text("sendmany", `["",{"`+to+`":1,"`+own+`":2},1,"",["`+to+`"]]`)
	if len(r.pool.entries) != 1 || len(r.pool.entries[0].Tx.Msg.TxOut) != 3 {
		t.Fatalf("%s: %v", id, r.pool.entries)
	}
	verbose := r.fields("sendtoaddress", `{"address":"`+own+`","amount":40,"verbose":true}`)
	if verbose["fee_reason"] != "Fallback fee" || verbose["txid"] != r.pool.entries[1].Tx.TxID().String() {
		t.Errorf("%v", verbose)
	}
}

func TestPoolRefusalOfAPayment(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	r.mine(r.text("getnewaddress", `[]`))
	for range 100 {
		r.mine("")
	}
	for _, v := range []struct {
		err    error
		code   int
		reason string
	}{
		{consensus.ErrMissingInput, -25, consensus.ErrMissingInput.Error()},
		{consensus.ErrOverspend, -26, consensus.ErrOverspend.Error()},
		{errors.New("the disk is gone"), -1, "the disk is gone"},
	} {
		r.refusal = v.err
		_, err := r.call("sendtoaddress", `["`+elseKey()+`",1]`)
		if got := asError(err); got.Code != v.code || !strings.HasSuffix(got.Message, v.reason) {
			t.Errorf("%v became %v", v.err, got)
		}
	}
	r.wants("getbalance", `[]`, "50.00000000")
}

func TestPassphrases(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	words := r.fields("exportwords", `[]`)["words"].(string)
	for method, params := range map[string]string{"walletpassphrase": `["x",1]`, "walletlock": `[]`, "walletpassphrasechange": `["x","y"]`} {
		r.refuses(method, params, -15, "Error: running with an unencrypted wallet, but "+method+" was called.")
	}
	r.refuses("encryptwallet", `[""]`, -8, "passphrase cannot be empty")
	if text := r.text("encryptwallet", `["first"]`); !strings.HasPrefix(text, "wallet encrypted; ") {
		t.Error(text)
	}
	r.refuses("encryptwallet", `["first"]`, -15, "Error: running with an encrypted wallet, but encryptwallet was called.")
	const locked = "Error: Please enter the wallet passphrase with walletpassphrase first."
	r.refuses("sendtoaddress", `["nowhere",1]`, -13, locked)
	r.refuses("sendmany", `["",{"nowhere":1}]`, -13, locked)
	r.refuses("exportwords", `[]`, -13, locked)
	const wrong = "Error: The wallet passphrase entered was incorrect."
	r.refuses("walletpassphrase", `["wrong",60]`, -14, wrong)
	r.refuses("walletpassphrase", `["first",-1]`, -8, "Timeout cannot be negative.")
	r.refuses("walletpassphrase", `["",1]`, -8, "passphrase cannot be empty")
	r.has("getwalletinfo", `[]`, map[string]any{"unlocked_until": 0.0})
	r.wants("walletpassphrase", `["first",9999999999999]`, `null`)
	if until := r.fields("getwalletinfo", `[]`)["unlocked_until"].(float64); until < float64(time.Now().Unix()) {
		t.Errorf("unlocked until %v", until)
	}
	r.refuses("walletpassphrasechange", `["wrong","second"]`, -14, wrong)
	r.wants("walletpassphrasechange", `["first","second"]`, `null`)
	r.wants("walletlock", `[]`, `null`)
	r.refuses("exportwords", `["first"]`, -14, wrong)
	if again := r.fields("exportwords", `["second"]`)["words"]; again != words {
		t.Error("the words are others")
	}
	r.refuses("restorewords", `["v","abandon abandon"]`, -5, "Invalid words: not the words of a wallet: there are 12, 15, 18, 21 or 24, but these are 2")
	r.wants("restorewords", `["v","`+words+`"]`, `{"name":"v"}`)
	first, err := r.on("v", "getnewaddress", `[]`)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := r.on("w", "getnewaddress", `[]`); err != nil || first != second {
		t.Errorf("%s, %s, %v", first, second, err)
	}
}

func TestSignRawTransactionWithWallet(t *testing.T) {
	r := newWalletRig(t)
	r.wants("createwallet", `["w"]`, `{"name":"w"}`)
	own := r.text("getnewaddress", `[]`)
	r.mine(own)
	coinbase := r.tree.At(r.tip).Block.Txs[0]
	msg := wire.NewMsgTx(2)
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: coinbase.TxID()}, nil, nil))
	msg.AddTxOut(wire.NewTxOut(1000, chaintest.KeyFor(1).Script(chaintest.P2WPKH)))
	raw := hex.EncodeToString(consensus.NewTx(msg).Raw())
	signed := r.fields("signrawtransactionwithwallet", `["`+raw+`"]`)
	if signed["complete"] != true || signed["errors"] != nil || len(signed["hex"].(string)) < len(raw)+2*100 {
		t.Errorf("%v", signed)
	}
	msg.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{5}, Index: 1}, nil, nil))
	raw = hex.EncodeToString(consensus.NewTx(msg).Raw())
	half := r.fields("signrawtransactionwithwallet", `["`+raw+`"]`)
	if half["complete"] != false || half["errors"].([]any)[0].(map[string]any)["error"] != "Input not found or already spent" {
		t.Errorf("%v", half)
	}
	script, err := address.Decode(r.tree.Params, own)
	if err != nil {
		t.Fatal(err)
	}
	known := fmt.Sprintf(`[{"txid":"%v","vout":1,"scriptPubKey":"%x","amount":1}]`, chainhash.Hash{5}, script)
	if whole := r.fields("signrawtransactionwithwallet", `["`+raw+`",`+known+`,"ALL|ANYONECANPAY"]`); whole["complete"] != true {
		t.Errorf("%v", whole)
	}
	r.refuses("signrawtransactionwithwallet", `["00"]`, -22, "TX decode failed. Make sure the tx has at least one input.")
	r.refuses("signrawtransactionwithwallet", `["`+raw+`",[],"SOME"]`, -8, "'SOME' is not a valid sighash parameter.")
	r.refuses("signrawtransactionwithwallet", `["`+raw+`",[{"txid":"`+unknownHash+`","vout":0,"scriptPubKey":"51"}]]`, -3, "Missing amount")
}
