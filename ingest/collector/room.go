package collector

// admit says whether a batch of a host may come.
func (s *spool) admit(host string) error {
	if err := s.life.ended(nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// What is open keeps room from others: it is sealed, a host's own where it is its share.
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

// appended records a piece, and rolls its segment if it is long enough.
func (s *spool) appended(p *piece, zone int32) {
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

// closeFirst returns the segment to seal before another can be opened, or nil.
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
