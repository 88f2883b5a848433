package collector

// admit returns an error if a batch of a host cannot be accepted: the one that stopped the
// collector, or errFull, wrapped.
func (s *spool) admit(host string) error {
	if err := s.life.ended(nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Open segments use room until they are stored, so they are rolled: all of them if the spool is
	// full, those of the host if it has used its share.
	if err := s.quota.checkFull(); err != nil {
		s.rollIf(func(*spooled) bool { return true })
		return err
	}
	if err := s.quota.checkShare(host); err != nil {
		s.rollIf(ofHost(host))
		return err
	}
	return nil
}

// appended records a spooled batch that was appended, and rolls segments that have reached
// RollBytes, or all of the host if it has too many open. zone is that of the spooled batch's lines.
func (s *spool) appended(p *spooledBatch, zone int32) {
	s.life.retries.Recovered("spool", nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := p.in
	sp.add(p, zone, s.cfg.Table != nil)
	s.quota.grow(sp.name.Host, p.member.Bytes, 1)
	s.streams.receive(p)
	switch {
	case s.opened[sp.name.Host] > maxHostOpen:
		s.rollIf(ofHost(sp.name.Host))
	case sp.size() >= s.cfg.RollBytes:
		s.rollIf(func(sp *spooled) bool { return sp.size() >= s.cfg.RollBytes })
	}
	s.feed()
}

// closeFirst returns a rolled segment that must be sealed before another can be opened for key, or
// nil. If there is none, it first rolls the segments of the host that has the most open.
func (s *spool) closeFirst(key segmentKey) *spooled {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] != nil || s.writers < s.cfg.OpenSegments {
		return nil
	}
	unsealed := func() *spooled {
		for _, sp := range s.kept {
			if sp.writer != nil {
				return sp
			}
		}
		return nil
	}
	if sp := unsealed(); sp != nil {
		return sp
	}
	most := key.host
	for other, n := range s.opened {
		if n > s.opened[most] {
			most = other
		}
	}
	s.rollIf(ofHost(most))
	return unsealed()
}
