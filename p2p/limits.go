package p2p

import "time"

// protocolVersion is what the status message carries. Peers below minProtocolVersion are refused.
const (
	protocolVersion    = 1
	minProtocolVersion = 1
)

// Sizes of what may come in one frame, in bytes, and counts of what may be in it. docs/protocol.md lists them.
const (
	maxStatusBytes    = 1 << 10
	maxNetworkName    = 32
	maxUserAgent      = 256
	maxLocator        = 101
	maxHeaders        = 2000
	headerBytes       = 80
	maxBlockBytes     = 4_000_000 // a block's weight limit bounds its bytes
	maxBlockTxs       = 16_666    // 60 bytes is the smallest transaction, four weight units a byte
	maxBlocksPerAsk   = 16
	maxBlocksAnswer   = 8 << 20 // a server stops after the block that passes this
	maxCompactBytes   = 256 << 10
	maxTxBytes        = 400_000 // standard weight limit bounds the bytes of a transaction that is relayed
	maxInvIDs         = 1000
	maxAskIDs         = 1000
	maxTipBytes       = headerBytes + 4 + 32
	maxParentsPerAsk  = 16
	relayReaderBuffer = 4 << 10
)

// How long a read or a write may take.
const (
	handshakeTimeout = 10 * time.Second // for the whole exchange
	readySpare       = 15 * time.Second // a connection without handshake is closed after this,
	passingLife      = 3 * time.Second  // one that our DHT has made after this
	firstByteTimeout = 5 * time.Second  // of an answer
	frameTimeout     = 10 * time.Second // of the rest of a frame, and more for long ones:
	minBytesPerSec   = 50 << 10
	writeTimeout     = 20 * time.Second
	headersTimeout   = 10 * time.Second
	blockTxnTimeout  = 700 * time.Millisecond // then another peer is asked
	blockTxnTries    = 3
	relayIdle        = 150 * time.Second // silence on a relay stream; an honest peer sends its tip at least every relayKeepalive
	relayKeepalive   = 60 * time.Second
	statusEvery      = 30 * time.Second
	statusSoon       = time.Second     // the first time, if the peer began the handshake
	validateTimeout  = 2 * time.Second // of a gossiped block, with the fetch of missing transactions
	tipGrace         = 200 * time.Millisecond
	tipSettles       = time.Second // then a tip is announced though the best header is far above it
)

// Relay of transactions.
const (
	announceEvery    = 20 * time.Millisecond // to peers that we dialled
	announceMean     = 50 * time.Millisecond // to peers that dialled us: exponential, so that they learn less about the source
	announceMax      = 200 * time.Millisecond
	inboundDelay     = 50 * time.Millisecond // before a peer that dialled us is asked, if we have others
	askTimeout       = 2 * time.Second       // then the next announcer is asked
	maxAsksPerPeer   = 100                   // in flight
	maxAnnouncedPeer = 5000                  // announcements of a peer that wait
	maxAskStalls     = 100                   // requests in a row without an answer, over stallTime at least and a minute at most,
	stallTime        = 4 * time.Second       // after which a peer is disconnected
	stallWindow      = time.Minute
	fewStalls        = 10   // after which other announcers are asked first
	maxOutInv        = 5000 // announcements that wait for a peer; the oldest is dropped
	maxOutServe      = 5000 // requests of a peer that wait
	knownPerPeer     = 16_384
	askedPerPeer     = 2048
	rejectsKept      = 120_000
	confirmedKept    = 40_000
	arrivalsKept     = 100_000
	greetInv         = 5000 // recent arrivals that a new peer is told
	maxOrphans       = 100
	maxOrphanBytes   = 100_000
	maxOrphansPeer   = 25
	maxOrphanTries   = 10 // times that an orphan is tried again because one of its parents came
	orphanLife       = 5 * time.Minute
	firstHops        = 2           // peers that hear of our own transactions at once
	ownDelayLeast    = time.Second // the others later
	ownDelayMost     = 5 * time.Second
	ownAgainLeast    = 5 * time.Minute // and all of them again until they are confirmed
	ownAgainMost     = 10 * time.Minute
	maxOwn           = 5000
	feeFilterEvery   = time.Second // looked at; it is sent when it has changed
	invPerSecond     = 2000        // announcements that a peer may send on average,
	invBurst         = 10_000      // and at once
)

// Download of headers and blocks.
const (
	syncWindow        = 1024 // blocks ahead that may be asked for
	asksPerSyncPeer   = 2
	asidesInFlight    = 4               // requests for blocks that are not on the way to the best header,
	blocksPerAside    = 2               // and blocks in each
	syncBudget        = 12 << 20        // bytes asked for or waiting to be connected; parsed they take four times as much
	headStall         = 3 * time.Second // after which whoever was asked for the lowest block has held us up,
	headPatience      = time.Second     // and after which others are asked too if it dialled us
	maxHeadAsks       = 8               // for one block at once, or as many as
	maxHeadBytes      = 8 << 20         // all their answers together have
	doubtfulAtOnce    = 2               // peers that dialled us and have not proved themselves, with a request each
	rescueBytes       = 1 << 20         // of late blocks in one request
	maxHeadStalls     = 2
	maxAskFailures    = 3
	restAfterFailure  = time.Second
	syncTick          = time.Second
	planPause         = 5 * time.Millisecond
	maxHeld           = 64
	headersInFlight   = 2
	headersPatience   = 2 * time.Second // then another peer is asked besides
	lowWorkBlocks     = 144             // a chain with less work than our tip has without these is not stored
	lesserPerSec      = 1               // headers of chains with no more work than our tip that are stored on average,
	lesserBurst       = 2 * maxHeaders  // and at once
	lesserBlock       = 20              // what an announced block of as much work as our tip counts
	maxTrail          = 10_000          // answers with headers that a peer may send before the work of its chain suffices
	lowWorkRest       = time.Minute
	serveBytesPerSec  = 32 << 20
	serveBurst        = 64 << 20
	serveMinimumBytes = 8 << 10 // what the smallest block costs of that budget
	headersPerSec     = 20
	headersBurst      = 100
	maxBudgets        = 4096 // addresses whose use of those is remembered
)

// Peers.
const (
	maxOutbound      = 8
	defaultMaxPeers  = 125
	maxBrowsers      = 16 // of those that dial us
	maxNeighbours    = 16 // found on the local network that wait
	defaultPerIP     = 4
	defaultPerSubnet = 16
	scoreLimit       = 100
	defaultBanTime   = 24 * time.Hour
	maxBans          = 10_000
	maxAddedNodes    = 1000
	dialTimeout      = 10 * time.Second
	redialFirst      = time.Second
	redialMost       = time.Minute
	walkFast         = 1500 * time.Millisecond
	walkSlow         = time.Minute
	walkTimeout      = 10 * time.Second
	lonelyFirst      = 10 * time.Second
	lonelyEvery      = 10 * time.Minute
	pushPeers        = 8 // peers that get a block of ours directly
	recentBlocks     = 8
	heardBlocks      = 256 // whose first announcement is remembered
	recentBlockBytes = 8 << 20
	announceLag      = 6 // blocks behind the best header at which a tip is still announced
	relayReopenFirst = 500 * time.Millisecond
	relayReopenTries = 4
)

// The address book and the exchange of its records.
const (
	newBuckets      = 1024
	triedBuckets    = 256
	bucketSize      = 16
	sourceShare     = 64 // new buckets that one network group can fill by telling us
	groupShare      = 8  // tried buckets that one network group can fill
	maxRecordsIP    = 8  // records of one IP address
	maxRecordsLocal = 512
	maxRecordsPeer  = 4 // IP addresses that a peer may have
	maxRecordAddrs  = 4
	maxRecordAddr   = 64 // bytes of an address
	maxPeerID       = 64
	maxContest      = 10
	contestWin      = 4 * time.Hour
	recordLife      = 30 * 24 * time.Hour
	recordRenew     = 2 * time.Hour
	recordVain      = 7 * 24 * time.Hour
	maxVainFirst    = 3
	maxVain         = 10
	retryPause      = time.Minute
	retryMost       = time.Hour
)

// Exchange of peer records, and the choice of whom to dial.
const (
	bookEvery       = time.Minute // between two writes of what has changed
	maxRecords      = 100         // in an answer
	maxTold         = 10          // in a message that nobody asked for
	maxAnswerBytes  = 40 << 10
	maxTellBytes    = 4 << 10
	answerLife      = 24 * time.Hour
	answerYoung     = 2 * time.Second // of an answer that is not full
	answerLeast     = 16
	tellPeers       = 2 // that are told of a new record
	tellFresh       = 10 * time.Minute
	tellEvery       = 24 * time.Hour // our own record
	askPeersPause   = 10 * time.Second
	askPeersPerHour = 60 // answers to a peer in an hour on average,
	askPeersBurst   = 4  // and at once
	toldPerHour     = 360
	toldBurst       = 100
	maxBlockOnly    = 2
	blockOnlyFrom   = 20 // of --max-peers, there are slots for peers of blocks only
	dialsAtOnce     = 4
	outboundTick    = 500 * time.Millisecond
	feelerEvery     = 2 * time.Minute
	maxSeedAddrs    = 64              // of a name in the DNS
	guestTime       = 2 * time.Second // after which a peer without handshake makes room first
	crowdShare      = 8               // a network group that holds more than one of so many inbound slots is a crowd
)
