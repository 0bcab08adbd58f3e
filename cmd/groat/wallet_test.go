package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeNode answers methods with what a test gives it, and remembers what it was asked.
type fakeNode struct {
	*httptest.Server
	answers map[string]string // by method: a result in JSON, or an error that begins with "!"

	mu    sync.Mutex
	calls []string // path, method and parameters
}

func newFakeNode(t *testing.T, answers map[string]string) *fakeNode {
	n := &fakeNode{answers: answers}
	n.Server = httptest.NewServer(http.HandlerFunc(n.serve))
	t.Cleanup(n.Close)
	return n
}

func (n *fakeNode) serve(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &call) != nil {
		http.Error(w, "no call", http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, r.URL.Path+" "+call.Method+" "+string(call.Params))
	w.Header().Set("Content-Type", "application/json")
	answer, ok := n.answers[call.Method]
	if fail, refused := strings.CutPrefix(answer, "!"); refused || !ok {
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"error":`+fail+`}`)
		return
	}
	io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":`+answer+`}`)
}

// wallet runs "groat wallet" against the node, with text on standard input.
func (n *fakeNode) wallet(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{in: strings.NewReader(stdin), out: &out, err: &errOut, lookupEnv: func(string) (string, bool) { return "", false }}
	args = append([]string{"wallet", "--rpc-url", n.URL, "--rpc-user", "u", "--rpc-password", "p", "--datadir", t.TempDir()}, args...)
	code = a.run(t.Context(), args)
	return code, out.String(), errOut.String()
}

// asked reports whether a call was made whose text holds all parts.
func (n *fakeNode) asked(parts ...string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, call := range n.calls {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(call, part)
		}
		if all {
			return true
		}
	}
	return false
}

const twelveWords = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

func TestWalletCreateShowsTheWords(t *testing.T) {
	n := newFakeNode(t, map[string]string{"createwallet": `{"name":"shop"}`, "exportwords": `{"words":"` + twelveWords + `"}`})
	code, out, stderr := n.wallet(t, "", "create", "shop")
	if code != exitDone || strings.Count(out, "abandon") != 11 || !strings.Contains(out, "12 about") || !strings.Contains(out, "no passphrase") {
		t.Errorf("exit code %d, %s%s", code, out, stderr)
	}
	if !n.asked("createwallet", `"load_on_startup":true`) || n.asked("passphrase") {
		t.Errorf("%v", n.calls)
	}
	code, out, _ = n.wallet(t, "pass word\nmore\n", "create", "shop", "--passphrase-file", "-", "--json")
	var made createdJSON
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != exitDone || made != (createdJSON{Name: "shop", Words: twelveWords, Encrypted: true}) {
		t.Errorf("exit code %d, %s, %v", code, out, err)
	}
	if !n.asked("createwallet", `"passphrase":"pass word"`) || !n.asked("/wallet/shop exportwords", `["pass word"]`) {
		t.Errorf("%v", n.calls)
	}
}

func TestWalletRestore(t *testing.T) {
	n := newFakeNode(t, map[string]string{
		"restorewords": `{"name":"old"}`, "getwalletinfo": `{"scanning":false,"lastprocessedblock":{"height":7}}`, "getbalance": `1.50000000`,
	})
	code, out, stderr := n.wallet(t, strings.ReplaceAll(twelveWords, " about", "\n  about\n"), "restore", "old")
	if code != exitDone || out != "Wallet old is back, up to block 7: it holds 1.50000000.\n" || !n.asked("restorewords", twelveWords) {
		t.Errorf("exit code %d, %s%s %v", code, out, stderr, n.calls)
	}
	file := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(file, []byte(twelveWords), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := n.wallet(t, "secret\n", "restore", "old", "--words-file", file, "--passphrase-file", "-", "--json"); code != exitDone || !strings.Contains(out, `"encrypted": true`) {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, _, stderr := n.wallet(t, "x", "restore", "old", "--passphrase-file", "-"); code != exitUsage || !strings.Contains(stderr, "standard input") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, _, stderr := n.wallet(t, " \n", "restore", "old"); code != exitFailed || !strings.Contains(stderr, "no words") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestWhichWalletIsMeant(t *testing.T) {
	for _, v := range []struct {
		loaded string
		args   []string
		code   int
		words  string
	}{
		{`[]`, nil, exitFailed, "groat wallet create NAME"},
		{`["a"]`, nil, exitDone, "available  1.00000000"},
		{`["a","b"]`, nil, exitUsage, "several wallets are loaded (a, b); name one with --wallet"},
		{`["a","b"]`, []string{"--wallet", "b"}, exitDone, "waiting for a block  2.00000000"},
		{`["a"]`, []string{"--wallet", "c"}, exitFailed, `no wallet "c" is loaded`},
	} {
		n := newFakeNode(t, map[string]string{
			"listwallets": v.loaded, "getwalletinfo": `{"scanning":{"duration":1,"progress":0.5},"lastprocessedblock":{"height":7}}`,
			"getbalances": `{"mine":{"trusted":1.00000000,"untrusted_pending":2.00000000,"immature":3.00000000}}`,
		})
		code, out, stderr := n.wallet(t, "", append([]string{"balance"}, v.args...)...)
		if code != v.code || !strings.Contains(out+stderr, v.words) || (code == exitDone) != strings.Contains(out, "50 %, block 7") {
			t.Errorf("%s %v: exit code %d, %s%s", v.loaded, v.args, code, out, stderr)
		}
		if code == exitDone && v.args != nil && !n.asked("/wallet/b getbalances") {
			t.Errorf("%v", n.calls)
		}
	}
}

func TestWalletSend(t *testing.T) {
	answers := map[string]string{
		"listwallets": `["w"]`, "getwalletinfo": `{"scanning":false}`, "sendtoaddress": `"00ff"`,
		"gettransaction": `{"txid":"00ff","amount":0,"fee":-0.00000141,"details":[{"category":"send","amount":-0.25000000},{"category":"receive","amount":0.25000000}]}`, "walletpassphrase": `null`, "walletlock": `null`,
	}
	n := newFakeNode(t, answers)
	code, out, stderr := n.wallet(t, "", "send", "addr", "0.25", "--fee-rate", "5", "--subtract-fee")
	if code != exitDone || out != "sent 0.25000000 for a fee of 0.00000141\n00ff\n" || !n.asked("/wallet/w sendtoaddress", `"address":"addr"`, `"amount":"0.25"`, `"fee_rate":"5"`, `"subtractfeefromamount":true`) {
		t.Errorf("exit code %d, %s%s %v", code, out, stderr, n.calls)
	}
	if n.asked("walletpassphrase") {
		t.Error("unlocked a wallet without a passphrase")
	}
	answers["getwalletinfo"] = `{"scanning":false,"unlocked_until":0}`
	if code, _, stderr := n.wallet(t, "", "send", "addr", "1"); code != exitFailed || !strings.Contains(stderr, "--passphrase-file") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, out, _ := n.wallet(t, "pw\n", "send", "addr", "1", "--passphrase-file", "-", "--json"); code != exitDone || !strings.Contains(out, `"fee": 0.00000141`) {
		t.Errorf("exit code %d, %s", code, out)
	}
	if !n.asked("walletpassphrase", `["pw",60]`) || !n.asked("walletlock") {
		t.Errorf("%v", n.calls)
	}
	n.calls = nil
	answers["sendtoaddress"] = `!{"code":-6,"message":"Insufficient funds"}`
	if code, _, stderr := n.wallet(t, "pw\n", "send", "addr", "1", "--passphrase-file", "-"); code != exitFailed || !strings.Contains(stderr, "Insufficient funds") || !n.asked("walletlock") {
		t.Errorf("exit code %d, %s, %v", code, stderr, n.calls)
	}
	answers["walletpassphrase"] = `!{"code":-14,"message":"Error: wrong"}`
	if code, _, stderr := n.wallet(t, "no\n", "send", "addr", "1", "--passphrase-file", "-"); code != exitFailed || !strings.Contains(stderr, "not the passphrase of wallet w") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if code, _, _ := n.wallet(t, "", "send", "addr"); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

func TestWalletAddressListHistory(t *testing.T) {
	n := newFakeNode(t, map[string]string{
		"listwallets": `["w"]`, "getnewaddress": `"bcrt1q"`, "listwalletdir": `{"wallets":[{"name":"v"},{"name":"w"}]}`,
		"listtransactions": `[{"time":1,"category":"receive","amount":1.00000000,"confirmations":3,"txid":"aa","label":"till"},
			{"time":2,"category":"send","amount":-1.00000000,"confirmations":0,"abandoned":true,"txid":"bb"},{"time":3,"category":"receive","amount":1.00000000,"confirmations":-2,"txid":"cc"}]`,
	})
	if code, out, _ := n.wallet(t, "", "address", "--label", "x y"); code != exitDone || out != "bcrt1q\n" || !n.asked("getnewaddress", `["x y"]`) {
		t.Errorf("exit code %d, %q", code, out)
	}
	if code, out, _ := n.wallet(t, "", "list"); code != exitDone || out != "v  not loaded\nw  loaded\n" {
		t.Errorf("exit code %d, %q", code, out)
	}
	code, out, _ := n.wallet(t, "", "history", "--count", "5")
	if code != exitDone || !strings.Contains(out, "3 blocks") || !strings.Contains(out, "given up") || !strings.Contains(out, "lost to another") || !strings.Contains(out, "till") || !n.asked("listtransactions", `["*",5]`) {
		t.Errorf("exit code %d, %s", code, out)
	}
	if code, out, _ := n.wallet(t, "", "history", "--json"); code != exitDone || strings.Count(out, `"txid"`) != 3 {
		t.Errorf("exit code %d, %s", code, out)
	}
}
