package bulkload

// Abandon ends a loader as a kill does: its staging directory stays.
func Abandon(l *Loader) error {
	s := l.session.staging
	l.session = nil
	if err := l.Close(); err != nil {
		return err
	}
	return s.Close()
}
