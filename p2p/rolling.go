package p2p

// rolling is a map that forgets: it keeps at least the last half of its capacity of entries, and never more than the whole. A peer
// can fill it without making it grow.
type rolling[K comparable, V any] struct {
	half     int
	young    map[K]V
	previous map[K]V
}

func newRolling[K comparable, V any](capacity int) *rolling[K, V] {
	return &rolling[K, V]{half: max(capacity/2, 1)}
}

// put adds or replaces k.
func (r *rolling[K, V]) put(k K, v V) {
	if _, ok := r.young[k]; !ok && len(r.young) >= r.half {
		r.previous, r.young = r.young, nil
	}
	if r.young == nil {
		r.young = make(map[K]V)
	}
	r.young[k] = v
}

// get returns the value of k and whether k is remembered.
func (r *rolling[K, V]) get(k K) (V, bool) {
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.previous[k]
	return v, ok
}

// has reports whether k is remembered.
func (r *rolling[K, V]) has(k K) bool {
	_, ok := r.get(k)
	return ok
}

// drop forgets k.
func (r *rolling[K, V]) drop(k K) {
	delete(r.young, k)
	delete(r.previous, k)
}

// clear forgets everything.
func (r *rolling[K, V]) clear() { r.young, r.previous = nil, nil }
