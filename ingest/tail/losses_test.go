package tail

import (
	"sync"
	"testing"

	"sluice/ingest/checkpoint"
	"sluice/ingest/segment/vfs"
)

// A checkpoint that is saved at any time has a loss and the stream's lost bytes, or neither: with the
// lost bytes alone, a process that is started after a crash would not look for the lines again.
func TestACheckpointHasALossWithTheLostBytesOfItsStream(t *testing.T) {
	w := newWorld(t)
	w.append("a.log", lines("a", 3))
	w.start()
	w.turn(0)
	defer w.stop()
	w.save()
	f := w.tailer.set.fileOf(w.checkpoint.Streams()[0])
	path := w.path("state/checkpoint")
	saved, done := make(chan error), make(chan struct{})
	var busy sync.WaitGroup
	defer busy.Wait()
	defer close(done)
	for range 2 { // a lock that many wait for is passed on in their order, so a save gets it at any time
		busy.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					w.checkpoint.Update(func() {})
				}
			}
		})
	}
	go func() {
		for range 15 {
			if err := w.checkpoint.Save(); err != nil {
				saved <- err
				return
			}
			cp, err := checkpoint.Open(vfs.OS{}, path, "")
			if err != nil {
				saved <- err
				return
			}
			s := cp.Streams()[0]
			if listed := cp.Losses.Count().Bytes; listed != s.LostBytes {
				t.Errorf("the losses have %d bytes, the stream %d", listed, s.LostBytes)
			}
		}
		saved <- nil
	}()
	for {
		select {
		case err := <-saved:
			w.must(err)
			return
		default:
			w.checkpoint.Update(func() { f.stream.SeenBytes = f.read + f.stream.LostBytes + 1 })
			w.tailer.streams.notFound(f.stream)
			w.tailer.streams.lost(f, 1)
		}
	}
}
