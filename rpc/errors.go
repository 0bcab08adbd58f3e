package rpc

import (
	"context"
	"errors"
	"fmt"

	"groat/consensus"
	"groat/internal/ledger"
)

// Error is what a caller is told when a method fails: one of Bitcoin Core's codes and its text.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns the message.
func (e Error) Error() string { return e.Message }

// Bitcoin Core's error codes (src/rpc/protocol.h).
const (
	CodeInvalidRequest = -32600
	CodeUnknownMethod  = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeParse          = -32700

	CodeMisc             = -1 // wrong number of arguments, and what has no code of its own
	CodeType             = -3 // an argument of the wrong type, an amount out of range
	CodeWallet           = -4 // what goes wrong in a wallet and has no code of its own
	CodeNotFound         = -5 // unknown block, transaction, address or key
	CodeFunds            = -6 // not enough funds
	CodeOutOfMemory      = -7
	CodeInvalidParameter = -8  // an argument out of range, missing or twice
	CodeNotConnected     = -9  // no peers
	CodeDownloading      = -10 // initial download
	CodeLabel            = -11
	CodeKeypool          = -12
	CodeUnlockNeeded     = -13
	CodePassphrase       = -14
	CodeEncryptionState  = -15
	CodeEncryption       = -16
	CodeAlreadyUnlocked  = -17
	CodeWalletNotFound   = -18
	CodeWalletUnnamed    = -19 // more than one wallet is loaded
	CodeDatabase         = -20
	CodeDecode           = -22 // bytes are no transaction, block or header
	CodeNodeAdded        = -23
	CodeNodeNotAdded     = -24
	CodeVerify           = -25 // inputs missing, fee above what the caller allows, header refused
	CodeRejected         = -26 // refused by the rules or by the pool's policy
	CodeInChain          = -27
	CodeWarmup           = -28 // not ready; ask again
	CodePeerNotConnected = -29
	CodeInvalidSubnet    = -30
	CodeNoNetwork        = -31
	CodeWalletLoaded     = -35
	CodeWalletExists     = -36
)

// errorf makes an Error with a formatted message.
func errorf(code int, format string, args ...any) error {
	return Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// rejecter is an error that refuses a transaction or block, with Core's reject string.
type rejecter interface{ RejectReason() string }

// reasonOf returns Core's reject string if err refuses a transaction or block, and false if it is a failure of our own.
func reasonOf(err error) (string, bool) {
	var r rejecter
	if errors.As(err, &r) {
		return r.RejectReason(), true
	}
	var kind consensus.Kind
	if errors.As(err, &kind) {
		return kind.Error(), true
	}
	return "", false
}

// poolError puts the pool's refusal of a transaction into Core's code and text.
func poolError(err error) error {
	if errors.Is(err, consensus.ErrMissingInput) {
		return errorf(CodeVerify, "%s", consensus.ErrMissingInput.Error())
	}
	reason, ok := reasonOf(err)
	switch {
	case !ok:
		return err
	case errors.Is(err, consensus.ErrScript): // which input it was is for the log: Core says the reason alone
		return errorf(CodeRejected, "%s", reason)
	}
	return errorf(CodeRejected, "%s", err.Error())
}

// toldError marks an error as the caller's affair: it is told and not logged.
func toldError(err error) error {
	if err == nil {
		return nil
	}
	return errorf(CodeMisc, "%s", err.Error())
}

// dataError says why a block's data cannot be had, in Core's words.
func dataError(err error) error {
	switch {
	case errors.Is(err, ledger.ErrUnknownBlock):
		return errorf(CodeNotFound, "Block not found")
	case errors.Is(err, ledger.ErrPruned):
		return errorf(CodeMisc, "Block not available (pruned data)")
	case errors.Is(err, ledger.ErrNoData):
		return errorf(CodeMisc, "Block not available (not fully downloaded)")
	}
	return err
}

// asError turns whatever a handler returned into what the caller is told. Failures that have no code of Core's
// are told as Core tells its uncaught exceptions.
func asError(err error) Error {
	var e Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return Error{CodeNotConnected, "Shutting down"}
	}
	return Error{CodeMisc, err.Error()}
}
