package rpc

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"groat/consensus"
	"groat/internal/ledger"
)

func (a *api) statsMethods() []Method {
	return []Method{{
		Name: "getblockstats", Category: "blockchain", Run: a.getBlockStats,
		Args: []Arg{
			{Name: "hash_or_height", Type: ArgInt, Unchecked: true, Required: true, Sample: "hash_or_height", Help: "The block hash or height of the target block"},
			{Name: "stats", Type: ArgArray, Default: "all values", Sample: `["height","avgfee",...]`, Help: "Values to plot"},
		},
		Help: "Compute per block statistics for a given window. All amounts are in satoshis.\nIt won't work for some heights with pruning.", Result: "{...}",
	}}
}

// namedBlock returns the block of the best chain at a height, or any that a hash names.
func (a *api) namedBlock(v Value) (ledger.BlockInfo, error) {
	if v.Kind == Number {
		height, err := v.AsInt(32)
		tip := a.Chain.Tip().Height
		switch {
		case err != nil:
			return ledger.BlockInfo{}, err
		case height < 0:
			return ledger.BlockInfo{}, errorf(CodeInvalidParameter, "Target block height %d is negative", height)
		case height > int64(tip):
			return ledger.BlockInfo{}, errorf(CodeInvalidParameter, "Target block height %d after current tip %d", height, tip)
		}
		return a.at(int32(height))
	}
	text, err := v.AsString()
	if err != nil {
		return ledger.BlockInfo{}, err
	}
	hash, err := parseHash(text, "hash_or_height")
	if err != nil {
		return ledger.BlockInfo{}, err
	}
	return a.info(hash)
}

// blockStats are the values of getblockstats, in Core's order. Fees are in satoshis, fee rates in satoshis per virtual byte.
type blockStats struct {
	AvgFee      int64    `json:"avgfee"`
	AvgRate     int64    `json:"avgfeerate"`
	AvgSize     int64    `json:"avgtxsize"`
	Hash        string   `json:"blockhash"`
	Percentiles [5]int64 `json:"feerate_percentiles"`
	Height      int32    `json:"height"`
	Ins         int64    `json:"ins"`
	MaxFee      int64    `json:"maxfee"`
	MaxRate     int64    `json:"maxfeerate"`
	MaxSize     int64    `json:"maxtxsize"`
	MedianFee   int64    `json:"medianfee"`
	MedianTime  int64    `json:"mediantime"`
	MedianSize  int64    `json:"mediantxsize"`
	MinFee      int64    `json:"minfee"`
	MinRate     int64    `json:"minfeerate"`
	MinSize     int64    `json:"mintxsize"`
	Outs        int64    `json:"outs"`
	Subsidy     int64    `json:"subsidy"`
	WitSize     int64    `json:"swtotal_size"`
	WitWeight   int64    `json:"swtotal_weight"`
	WitTxs      int64    `json:"swtxs"`
	Time        int64    `json:"time"`
	TotalOut    int64    `json:"total_out"`
	TotalSize   int64    `json:"total_size"`
	TotalWeight int64    `json:"total_weight"`
	TotalFee    int64    `json:"totalfee"`
	Txs         int64    `json:"txs"`
	CoinGrowth  int64    `json:"utxo_increase"`
	SizeGrowth  int64    `json:"utxo_size_inc"`
	// of those that can be spent
	CoinGrowthSpendable int64 `json:"utxo_increase_actual"`
	SizeGrowthSpendable int64 `json:"utxo_size_inc_actual"`
}

func (a *api) getBlockStats(_ context.Context, c *Call) (any, error) {
	info, err := a.namedBlock(c.Value(0))
	if err != nil {
		return nil, err
	}
	b, err := a.Chain.Block(info.State.Hash)
	if err != nil {
		return nil, dataError(err)
	}
	coins := consensus.Coins{}
	if info.State.Height > 0 { // the first block spends nothing
		if coins, err = a.spentBy(b, info.State.Height); err != nil {
			return nil, err
		}
		if coins == nil {
			return nil, errorf(CodeMisc, "Undo data not available")
		}
	}
	stats := blockStatsOf(info.State, b, coins)
	stats.Subsidy = sats(a.Params.SubsidyAt(info.State.Height))
	if len(c.Value(1).List) == 0 {
		return stats, nil
	}
	return chosenStats(stats, c.Value(1).List)
}

// chosenStats returns the named values alone.
func chosenStats(stats blockStats, names []Value) (any, error) {
	raw, err := marshal(stats)
	if err != nil {
		return nil, err
	}
	var all, chosen map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	chosen = make(map[string]json.RawMessage)
	for _, v := range names {
		name, err := v.AsString()
		if err != nil {
			return nil, err
		}
		value, ok := all[name]
		if !ok {
			return nil, errorf(CodeInvalidParameter, "Invalid selected statistic '%s'", name)
		}
		chosen[name] = value
	}
	return chosen, nil
}

// weighedRate is a fee rate and the weight that pays it.
type weighedRate struct{ rate, weight int64 }

// witnessScale is how many weight units make a virtual byte (BIP141).
const witnessScale = 4

// coinOverhead is what Core counts for a coin beside its output: outpoint, height and coinbase bit.
const coinOverhead = 32 + 4 + 4 + 1

// blockStatsOf computes what a block says of itself and of the coins that it spends. The first transaction counts for little.
func blockStatsOf(s consensus.State, b *consensus.Block, coins consensus.Coins) blockStats {
	j := blockStats{
		Hash: s.Hash.String(), Height: s.Height, MedianTime: s.MedianTime().Unix(), Time: s.Header.Timestamp.Unix(), Txs: int64(len(b.Txs)),
	}
	var fees, sizes []int64
	var rates []weighedRate
	for i, tx := range b.Txs {
		out := j.outputs(tx, s.Height)
		if i == 0 {
			continue
		}
		j.inputs(tx, coins)
		fee, _ := feeOf(tx.Msg, coins)
		size, weight := int64(tx.Size()), int64(tx.Weight())
		j.TotalOut += int64(out)
		j.TotalSize += size
		j.TotalWeight += weight
		j.TotalFee += sats(fee)
		if tx.Msg.HasWitness() {
			j.WitTxs++
			j.WitSize += size
			j.WitWeight += weight
		}
		fees, sizes = append(fees, sats(fee)), append(sizes, size)
		rates = append(rates, weighedRate{sats(fee) * witnessScale / weight, weight})
	}
	j.CoinGrowth, j.CoinGrowthSpendable = j.Outs-j.Ins, j.CoinGrowthSpendable-j.Ins
	j.summarize(fees, sizes, rates)
	return j
}

// outputs counts the outputs of a transaction and returns their value.
func (j *blockStats) outputs(tx *consensus.Tx, height int32) btcutil.Amount {
	var sum btcutil.Amount
	j.Outs += int64(len(tx.Msg.TxOut))
	for _, out := range tx.Msg.TxOut {
		sum += btcutil.Amount(out.Value)
		size := int64(out.SerializeSize()) + coinOverhead
		j.SizeGrowth += size
		if height > 0 && !consensus.Unspendable(out.PkScript) {
			j.CoinGrowthSpendable++
			j.SizeGrowthSpendable += size
		}
	}
	return sum
}

// inputs counts what a transaction spends.
func (j *blockStats) inputs(tx *consensus.Tx, coins consensus.Coins) {
	j.Ins += int64(len(tx.Msg.TxIn))
	for _, in := range tx.Msg.TxIn {
		coin := coins[in.PreviousOutPoint]
		size := int64(wire.NewTxOut(int64(coin.Value), coin.PkScript).SerializeSize()) + coinOverhead
		j.SizeGrowth -= size
		j.SizeGrowthSpendable -= size
	}
}

// summarize fills in averages, extremes and medians over the transactions after the first.
func (j *blockStats) summarize(fees, sizes []int64, rates []weighedRate) {
	n := int64(len(fees))
	if n == 0 {
		return
	}
	slices.Sort(fees)
	slices.Sort(sizes)
	slices.SortFunc(rates, func(x, y weighedRate) int {
		return cmp.Or(cmp.Compare(x.rate, y.rate), cmp.Compare(x.weight, y.weight))
	})
	j.AvgFee, j.AvgSize = j.TotalFee/n, j.TotalSize/n
	j.AvgRate = j.TotalFee * witnessScale / j.TotalWeight
	j.MinFee, j.MedianFee, j.MaxFee = fees[0], median(fees), fees[n-1]
	j.MinSize, j.MedianSize, j.MaxSize = sizes[0], median(sizes), sizes[n-1]
	j.MinRate, j.MaxRate = rates[0].rate, rates[n-1].rate
	j.Percentiles = percentiles(rates, j.TotalWeight)
}

// median returns the middle of sorted values, or the mean of the two in the middle.
func median(sorted []int64) int64 {
	n := len(sorted)
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// percentiles returns the fee rates below which 10, 25, 50, 75 and 90 % of the weight pay.
func percentiles(sorted []weighedRate, total int64) [5]int64 {
	shares := [5]float64{float64(total) / 10, float64(total) / 4, float64(total) / 2, float64(total) * 3 / 4, float64(total) * 9 / 10}
	var result [5]int64
	next, sum := 0, int64(0)
	for _, r := range sorted {
		sum += r.weight
		for next < len(shares) && float64(sum) >= shares[next] {
			result[next] = r.rate
			next++
		}
	}
	for ; next < len(shares); next++ {
		result[next] = sorted[len(sorted)-1].rate
	}
	return result
}
