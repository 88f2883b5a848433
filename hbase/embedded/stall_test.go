package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestAWaitForTheDiskEndsWithItsContext(t *testing.T) {
	reached, release := make(chan struct{}, 100), make(chan struct{})
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			reached <- struct{}{}
			<-release
		}
		return nil
	}))
	opened := make(chan *Table)
	go func() { opened <- open(t, "/table", Options{fs: disk}) }()
	<-reached
	release <- struct{}{} // the layout's
	w := newWriter(t, <-opened, 1)
	w.put(100)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	if err := w.table.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("flush: %v", err)
	}
	// Put, too, when it would have to wait for that flush.
	w.table.mu.Lock()
	w.table.unflushed = rotateBytes
	w.table.mu.Unlock()
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if err := w.table.Put(ctx, w.next(10)); !errors.Is(err, context.Canceled) {
		t.Fatalf("put: %v", err)
	}
	close(release)
	w.put(10)
	w.flush()
	if n := count(t, w.table); n != 110 {
		t.Errorf("%d rows", n)
	}
}
