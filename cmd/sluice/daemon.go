package main

import (
	"os"
	"os/signal"
	"syscall"
)

// daemon prepares the process to outlive its terminal and the readers of its output, until end is
// called: output never blocks, and SIGHUP is ignored. There is no file that a SIGHUP could reopen:
// the log is standard error. Certificates are read again when they change; other settings need a
// restart.
func (a *app) daemon() (end func()) {
	out := newLogWriter(a.stdout)
	a.stdout, a.stderr = out, a.logs
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-hangups:
				a.log.Info("SIGHUP ignored; restart to read the configuration again")
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(done)
		<-stopped
		out.flush(logFlushTimeout)
	}
}
