package p2p

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// gossip carries the announcements of blocks.
type gossip struct {
	topic *pubsub.Topic
	sub   *pubsub.Subscription
}

// openGossip joins the topic of blocks. It ends with ctx.
func (n *Network) openGossip(ctx context.Context) (*gossip, error) {
	ps, err := pubsub.NewGossipSub(ctx, n.host, n.gossipOptions()...)
	if err != nil {
		return nil, fmt.Errorf("open gossip: %w", err)
	}
	err = ps.RegisterTopicValidator(n.ids.topic, n.validateGossip,
		pubsub.WithValidatorTimeout(validateTimeout), pubsub.WithValidatorConcurrency(4))
	if err != nil {
		return nil, fmt.Errorf("open gossip: %w", err)
	}
	topic, err := ps.Join(n.ids.topic)
	if err != nil {
		return nil, fmt.Errorf("open gossip: %w", err)
	}
	sub, err := topic.Subscribe(pubsub.WithBufferSize(64))
	if err != nil {
		return nil, fmt.Errorf("open gossip: %w", err)
	}
	return &gossip{topic: topic, sub: sub}, nil
}

// gossipOptions sets what must not be left to defaults: no signatures (blocks prove themselves, and a signature names the
// source), ids by content (without author the default id is empty and only one message would ever pass), our own protocol
// ids (the default ones also speak floodsub, with any network).
func (n *Network) gossipOptions() []pubsub.Option {
	return []pubsub.Option{
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(contentID),
		pubsub.WithGossipSubProtocols(n.ids.mesh, func(feature pubsub.GossipSubFeature, id protocol.ID) bool {
			switch feature {
			case pubsub.GossipSubFeatureMesh, pubsub.GossipSubFeaturePX:
				return id == n.ids.mesh[0] || id == n.ids.mesh[1]
			case pubsub.GossipSubFeatureIdontwant:
				return id == n.ids.mesh[0]
			}
			return false
		}),
		pubsub.WithGossipSubParams(meshParams()),
		pubsub.WithFloodPublish(false),
		pubsub.WithPeerExchange(false),
		pubsub.WithMaxMessageSize(1 << 20),
		pubsub.WithValidateQueueSize(512),
		pubsub.WithPeerOutboundQueueSize(256),
		pubsub.WithValidateThrottle(256),
		pubsub.WithSeenMessagesTTL(10 * time.Minute),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(n.ids.topic), 16)),
		pubsub.WithPeerScore(n.gossipScores(), &pubsub.PeerScoreThresholds{
			GossipThreshold: -50, PublishThreshold: -100, GraylistThreshold: -200, AcceptPXThreshold: 100, OpportunisticGraftThreshold: 2,
		}),
		pubsub.WithPeerScoreInspect(n.standings.inspect(n.ids.topic, n.peers), standingEvery),
		pubsub.WithPeerGater(pubsub.NewPeerGaterParams(0.33, pubsub.ScoreParameterDecay(2*time.Minute), pubsub.ScoreParameterDecay(10*time.Minute))),
	}
}

// contentID names a message by what it says.
func contentID(m *pb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write(m.GetData())
	return string(h.Sum(nil)[:20])
}

func meshParams() pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	p.D, p.Dlo, p.Dhi, p.Dout, p.Dscore = 8, 6, 12, 3, 6
	p.HeartbeatInterval = time.Second
	p.HistoryLength, p.HistoryGossip = 10, 3
	return p
}

// gossipScores makes the mesh prefer peers that bring blocks first and shun those that bring bad ones.
func (n *Network) gossipScores() *pubsub.PeerScoreParams {
	return &pubsub.PeerScoreParams{
		AppSpecificScore: func(id peer.ID) float64 {
			if r := n.peers.get(id); r != nil {
				return -float64(r.points())
			}
			return 0
		},
		AppSpecificWeight:           1,
		IPColocationFactorWeight:    -50,
		IPColocationFactorThreshold: 4,
		IPColocationFactorWhitelist: n.spared(),
		BehaviourPenaltyWeight:      -10,
		BehaviourPenaltyThreshold:   6,
		BehaviourPenaltyDecay:       pubsub.ScoreParameterDecay(10 * time.Minute),
		DecayInterval:               time.Second,
		DecayToZero:                 0.01,
		RetainScore:                 6 * time.Hour,
		Topics: map[string]*pubsub.TopicScoreParams{n.ids.topic: {
			TopicWeight:       1,
			TimeInMeshWeight:  0.01,
			TimeInMeshQuantum: time.Second,
			TimeInMeshCap:     1000,

			FirstMessageDeliveriesWeight: 1,
			FirstMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(2 * time.Hour),
			FirstMessageDeliveriesCap:    20,

			InvalidMessageDeliveriesWeight: -100, // a block without work is never honest
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(time.Hour),
			// mesh delivery penalties stay off: they disconnect honest peers of a topic with a message a minute
		}},
	}
}

// spared are the networks in which many peers may share an address.
func (n *Network) spared() []*net.IPNet {
	networks := []*net.IPNet{cidr(127, 8), {IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}}
	if n.opts.AllowPrivate {
		networks = append(networks, cidr(10, 8), &net.IPNet{IP: net.IPv4(172, 16, 0, 0).To4(), Mask: net.CIDRMask(12, 32)},
			&net.IPNet{IP: net.IPv4(192, 168, 0, 0).To4(), Mask: net.CIDRMask(16, 32)})
	}
	return networks
}

func cidr(first byte, bits int) *net.IPNet {
	return &net.IPNet{IP: net.IPv4(first, 0, 0, 0).To4(), Mask: net.CIDRMask(bits, 32)}
}

// validateGossip decides whether a message is forwarded. Our own are.
func (n *Network) validateGossip(ctx context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == n.host.ID() {
		return pubsub.ValidationAccept
	}
	r := n.peers.get(from)
	if r == nil {
		return pubsub.ValidationIgnore // it has gone
	}
	r.meter.noteReceived()
	return n.blocks.announced(ctx, r, m.GetData(), byGossip)
}

// drain throws away what the subscription delivers: the validator has taken it.
func (g *gossip) drain(ctx context.Context) error {
	defer g.sub.Cancel()
	for {
		if _, err := g.sub.Next(ctx); err != nil {
			return nil // only the end of ctx or of the topic ends it
		}
	}
}

// publish announces a compact block. What was published or seen before is not sent again.
func (g *gossip) publish(ctx context.Context, raw []byte) error {
	return g.topic.Publish(ctx, raw)
}
