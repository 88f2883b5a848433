package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/ingest/receiver"
	"sluice/ingest/segment"
	"sluice/ingest/segment/vfs"
	"sluice/monitor"
	"sluice/monitor/message"
	"sluice/monitor/watch"
)

// expectFlags list the hosts that a collector expects before they connect.
type expectFlags struct {
	Expect     []string `placeholder:"HOSTS" help:"Hosts that must send: names and ranges, such as web01..web10,shop[1-3]. One that was never heard for --silent-after is an error in /health, also after a restart."`
	ExpectFile string   `type:"path" placeholder:"FILE" help:"File with such hosts, separated by white space; # begins a comment. It is read again when it changes; while it lists none, the hosts stay as they were."`
}

// watchPath returns the path of the state of hosts that must survive a restart.
func watchPath(data string) string { return filepath.Join(data, "watch") }

// watching monitors the hosts of a process, with state that survives restarts, and the disk of the
// spool.
type watching struct {
	file  *watch.File
	awake *watch.Awake
	disk  string // a directory on the disk of lines that are not stored yet
	began time.Time

	rejections monitor.Rejections
	messages   *message.Messenger // nil: messages are not sent

	mu       sync.Mutex
	rate     monitor.DiskRate
	expected *watch.Expectation // nil: no host is expected
	listErr  error              // the error of reading --expect-file
}

// watch reads the saved state of hosts, removes the retired hosts and starts sending messages. end
// stops that and saves the state.
func (a *app) watch(disk string, f *messageFlags, kind monitor.Kind, host string, expect expectFlags, retired []string) (w *watching, end func(), err error) {
	now := time.Now()
	w = &watching{awake: watch.NewAwake(now), disk: disk, began: now}
	if w.file, err = watch.Open(vfs.OS{}, watchPath(a.cli.Data)); err != nil {
		return nil, nil, openError(err)
	}
	if problem := w.file.Problem(); problem != "" {
		a.log.Warn("watch state damaged", "reason", problem)
	}
	w.file.Retire(retired)
	if w.expected, err = expect.read(); err != nil {
		return nil, nil, err
	}
	hosts := w.expected.Hosts()
	if !w.expected.FileRead() { // the hosts of an earlier process stay expected, as after Reload
		hosts = slices.Concat(hosts, w.file.Expected())
	}
	w.file.Expect(now, 0, hosts)
	messages, endMessages, err := f.messenger(a, w, kind, host)
	if err != nil {
		return nil, nil, err
	}
	w.messages = messages
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	return w, func() {
		cancel()
		<-done
		endMessages()
		now := time.Now()
		if err := w.file.Save(now, w.awake.Time(now), true); err != nil {
			a.log.Warn("cannot save what must survive a restart", "err", err)
		}
	}, nil
}

// read reads and checks the expected hosts.
func (f *expectFlags) read() (*watch.Expectation, error) {
	e, err := watch.NewExpectation(f.Expect, f.ExpectFile)
	if err != nil {
		return nil, usage("--expect, --expect-file: %w", err)
	}
	for _, host := range e.Hosts() {
		if err := segment.CheckHost(host); err != nil {
			return nil, usage("--expect, --expect-file: %w", err)
		}
	}
	return e, nil
}

// run advances the clock of the time in which the process ran, until ctx is done.
func (w *watching) run(ctx context.Context) {
	ticker := time.NewTicker(watch.AdvanceInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			w.awake.Advance(now)
		case <-ctx.Done():
			return
		}
	}
}

// observe records the observed state of hosts, reloads --expect-file if it changed, and saves the
// state if that is due.
func (w *watching) observe(a *app, now time.Time, seen []watch.Seen) {
	awake := w.awake.Time(now)
	w.mu.Lock()
	changed, err := w.expected.Reload()
	if err != nil && w.listErr == nil {
		a.log.Warn("cannot use --expect-file, the hosts stay as they were", "err", err)
	}
	w.listErr = err
	hosts := w.expected.Hosts()
	w.mu.Unlock()
	if changed {
		w.file.Expect(now, awake, hosts)
		a.log.Info("expected hosts changed", "hosts", len(hosts))
	}
	w.file.Observe(now, awake, seen)
	for _, host := range w.file.EndAcks(now) {
		a.log.Info("acknowledgement ended", "host", host)
	}
	failed := w.file.Problem() != ""
	if err := w.file.Save(now, awake, false); err != nil && !failed {
		a.log.Warn("cannot save what must survive a restart, retrying", "err", err)
	}
}

// add adds to a fleet the remembered hosts, the problems of the state file, the messenger and
// --expect-file, rejected TLS handshakes, and the state of the disk.
func (w *watching) add(f *monitor.Fleet) {
	if f.Hosts == nil {
		f.Hosts = map[string]monitor.Host{}
	}
	awake := w.awake.Time(f.Now)
	f.Remember(w.file.Hosts(), func(h *watch.Host) time.Duration { return w.file.Silence(h, awake) })
	f.Reject(&w.rejections)
	f.Frozen = func(age time.Duration) time.Duration { return w.awake.Frozen(f.Now, age) }
	if problem := w.file.Problem(); problem != "" {
		f.Problems = append(f.Problems, monitor.StateUnsaved.New(problem))
	}
	f.Problems = append(f.Problems, w.messages.Problems()...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.listErr != nil {
		f.Problems = append(f.Problems, monitor.ListUnread.New(fmt.Sprintf("--expect-file cannot be used, the expected hosts stay as they were: %s", w.listErr)))
	}
	var st unix.Statfs_t
	if err := unix.Statfs(w.disk, &st); err == nil {
		free := int64(min(st.Bavail, 1<<62/uint64(max(1, st.Bsize)))) * st.Bsize
		f.Disk = &monitor.Disk{Path: w.disk, FreeBytes: free, FullSeconds: w.rate.Look(f.Now, free).Seconds()}
	}
}

// tell passes the state of all hosts to the messenger.
func (w *watching) tell(h *monitor.Health) {
	if w.messages != nil {
		w.messages.Offer(message.StatesOf(h))
	}
}

// seenOf returns the state of the hosts of a receiver.
func seenOf(hosts []receiver.Host) []watch.Seen {
	seen := make([]watch.Seen, 0, len(hosts))
	for i := range hosts {
		seen = append(seen, monitor.SeenOf(&hosts[i]))
	}
	return seen
}

// ownHost returns the state of the host whose logs this process reads, to detect restarts and for
// acknowledgements.
func ownHost(host string, began time.Time) []watch.Seen {
	return []watch.Seen{{Host: host, Heard: time.Now(), StartedMs: began.UnixMilli()}}
}

// rejected records a failed TLS handshake under the names of the certificate that the peer
// presented. Other errors are ignored.
func (w *watching) rejected(certificates *tlsFiles, peer netip.AddrPort, err error) {
	var failed *tls.CertificateVerificationError
	if !errors.As(err, &failed) || len(failed.UnverifiedCertificates) == 0 {
		return
	}
	leaf := failed.UnverifiedCertificates[0]
	names := leaf.DNSNames
	if len(names) == 0 {
		names = []string{leaf.Subject.CommonName}
	}
	w.rejections.Note(time.Now(), names, peer.Addr().String(), failed.Err.Error(), certificates.signed(failed.UnverifiedCertificates))
}

// signed reports whether one of the authorities in --tls-ca signed a certificate, even if the
// certificate is otherwise invalid, for example expired. chain begins with it.
func (t *tlsFiles) signed(chain []*x509.Certificate) bool {
	config, err := t.read()
	if err != nil || config.ClientCAs == nil {
		return false
	}
	above := x509.NewCertPool()
	for _, c := range chain[1:min(len(chain), 8)] {
		above.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: config.ClientCAs, Intermediates: above, CurrentTime: chain[0].NotBefore.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}
