package p2p

import (
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// standingEvery is how old what gossip thinks of a peer may be.
const standingEvery = time.Second

// standing is what gossip thinks of a peer.
type standing struct {
	score  float64
	inMesh bool
}

// standings is what gossip thought of its peers when it last said so.
type standings struct {
	last atomic.Pointer[map[peer.ID]standing]
}

// inspect takes what gossip says, for the peers that are connected: it also remembers those that have gone.
func (s *standings) inspect(topic string, connected *table) pubsub.ExtendedPeerScoreInspectFn {
	return func(all map[peer.ID]*pubsub.PeerScoreSnapshot) {
		list := make(map[peer.ID]standing)
		for id, snapshot := range all {
			if connected.get(id) == nil {
				continue
			}
			st := standing{score: snapshot.Score}
			if t := snapshot.Topics[topic]; t != nil {
				st.inMesh = t.TimeInMesh > 0
			}
			list[id] = st
		}
		s.last.Store(&list)
	}
}

// of returns the standing of a peer, the zero one while it is not known.
func (s *standings) of(id peer.ID) standing {
	list := s.last.Load()
	if list == nil {
		return standing{}
	}
	return (*list)[id]
}
