package consensus

import "github.com/btcsuite/btcd/txscript/v2"

// scriptTexts has Bitcoin Core's words for the errors of the script engine.
var scriptTexts = map[txscript.ErrorCode]string{
	txscript.ErrEarlyReturn:           "OP_RETURN was encountered",
	txscript.ErrEmptyStack:            evalFalse,
	txscript.ErrEvalFalse:             evalFalse,
	txscript.ErrScriptUnfinished:      "Opcode missing or not understood",
	txscript.ErrScriptTooBig:          "Script is too big",
	txscript.ErrElementTooBig:         "Push value size limit exceeded",
	txscript.ErrTooManyOperations:     "Operation limit exceeded",
	txscript.ErrStackOverflow:         "Stack size limit exceeded",
	txscript.ErrInvalidPubKeyCount:    "Pubkey count negative or limit exceeded",
	txscript.ErrInvalidSignatureCount: "Signature count negative or greater than pubkey count",
	txscript.ErrVerify:                "Script failed an OP_VERIFY operation",
	txscript.ErrEqualVerify:           "Script failed an OP_EQUALVERIFY operation",
	txscript.ErrNumEqualVerify:        "Script failed an OP_NUMEQUALVERIFY operation",
	txscript.ErrCheckSigVerify:        "Script failed an OP_CHECKSIGVERIFY operation",
	txscript.ErrCheckMultiSigVerify:   "Script failed an OP_CHECKMULTISIGVERIFY operation",
	txscript.ErrDisabledOpcode:        "Attempted to use a disabled opcode",
	txscript.ErrReservedOpcode:        "Opcode missing or not understood",
	txscript.ErrMalformedPush:         "Opcode missing or not understood",
	txscript.ErrInvalidStackOperation: "Operation not valid with the current stack size",
	txscript.ErrUnbalancedConditional: "Invalid OP_IF construction",
	txscript.ErrMinimalData:           "Data push larger than necessary",
	txscript.ErrInvalidSigHashType:    "Signature hash type missing or not understood",
	txscript.ErrSigTooShort:           badDER,
	txscript.ErrSigTooLong:            badDER,
	txscript.ErrSigInvalidSeqID:       badDER,
	txscript.ErrSigInvalidDataLen:     badDER,
	txscript.ErrSigMissingSTypeID:     badDER,
	txscript.ErrSigMissingSLen:        badDER,
	txscript.ErrSigInvalidSLen:        badDER,
	txscript.ErrSigInvalidRIntID:      badDER,
	txscript.ErrSigZeroRLen:           badDER,
	txscript.ErrSigNegativeR:          badDER,
	txscript.ErrSigTooMuchRPadding:    badDER,
	txscript.ErrSigInvalidSIntID:      badDER,
	txscript.ErrSigZeroSLen:           badDER,
	txscript.ErrSigNegativeS:          badDER,
	txscript.ErrSigTooMuchSPadding:    badDER,
	txscript.ErrSigHighS:              "Non-canonical signature: S value is unnecessarily high",
	txscript.ErrNotPushOnly:           "Only push operators allowed in signatures",
	txscript.ErrSigNullDummy:          "Dummy CHECKMULTISIG argument must be zero",
	txscript.ErrPubKeyType:            "Public key is neither compressed or uncompressed",
	txscript.ErrCleanStack:            "Stack size must be exactly one after execution",
	txscript.ErrNullFail:              "Signature must be zero for failed CHECK(MULTI)SIG operation",
	txscript.ErrWitnessMalleated:      "Witness requires empty scriptSig",
	txscript.ErrWitnessMalleatedP2SH:  "Witness requires only-redeemscript scriptSig",
	txscript.ErrNegativeLockTime:      "Negative locktime",
	txscript.ErrUnsatisfiedLockTime:   "Locktime requirement not satisfied",
	txscript.ErrMinimalIf:             "OP_IF/NOTIF argument must be minimal",

	txscript.ErrDiscourageUpgradableNOPs:            "NOPx reserved for soft-fork upgrades",
	txscript.ErrDiscourageUpgradableWitnessProgram:  "Witness version reserved for soft-fork upgrades",
	txscript.ErrDiscourageUpgradeableTaprootVersion: "Taproot version reserved for soft-fork upgrades",
	txscript.ErrDiscourageOpSuccess:                 "OP_SUCCESSx reserved for soft-fork upgrades",
	txscript.ErrDiscourageUpgradeablePubKeyType:     "Public key version reserved for soft-fork upgrades",
	txscript.ErrWitnessProgramEmpty:                 "Witness program was passed an empty witness",
	txscript.ErrWitnessProgramMismatch:              "Witness program hash mismatch",
	txscript.ErrTaprootMerkleProofInvalid:           "Witness program hash mismatch",
	txscript.ErrTaprootOutputKeyParityMismatch:      "Witness program hash mismatch",
	txscript.ErrWitnessProgramWrongLength:           "Witness program has incorrect length",
	txscript.ErrWitnessUnexpected:                   "Witness provided for non-witness script",
	txscript.ErrWitnessPubKeyType:                   "Using non-compressed keys in segwit",
	txscript.ErrTapscriptCheckMultisig:              "OP_CHECKMULTISIG(VERIFY) is not available in tapscript",
	txscript.ErrTaprootSigInvalid:                   "Invalid Schnorr signature",
	txscript.ErrInvalidTaprootSigLen:                "Invalid Schnorr signature size",
	txscript.ErrControlBlockTooSmall:                badControl,
	txscript.ErrControlBlockTooLarge:                badControl,
	txscript.ErrControlBlockInvalidLength:           badControl,
	txscript.ErrTaprootPubkeyIsEmpty:                "Public key is neither compressed or uncompressed",
	txscript.ErrTaprootMaxSigOps:                    "Too much signature validation relative to witness weight",
	txscript.ErrNonConstScriptCode:                  "Signature is found in scriptCode",
	txscript.ErrCodeSeparator:                       "Using OP_CODESEPARATOR in non-witness script",
}

// tapscriptText returns Core's words for what means something else in a tapscript; text for all that does not.
func tapscriptText(err error, text string) string {
	switch {
	case txscript.IsErrorCode(err, txscript.ErrNullFail): // BIP342 has no NULLFAIL: a signature that fails ends the script
		return scriptTexts[txscript.ErrTaprootSigInvalid]
	case txscript.IsErrorCode(err, txscript.ErrMinimalIf): // here a rule for everybody
		return "OP_IF/NOTIF argument must be minimal in tapscript"
	}
	return text
}

const (
	evalFalse  = "Script evaluated without error but finished with a false/empty top stack element"
	badDER     = "Non-canonical DER signature"
	badControl = "Invalid Taproot control block size"
)
