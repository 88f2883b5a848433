package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"sluice/ingest/segment/vfs"
)

const (
	documentKind    = "watch"
	documentVersion = 1
	// maxFileBytes is the limit of the file's size: maxHosts of about 1,600 bytes.
	maxFileBytes = 32 << 20
	// maxHosts is the limit of hosts in a File.
	maxHosts = 20_000
	// saveInterval is the time between two saves of when hosts were last heard. Changes by an
	// operator are saved at once.
	saveInterval = 15 * time.Second
)

// File is the stored state. Its methods may be called by several goroutines.
type File struct {
	fsys vfs.FS
	path string

	saving sync.Mutex // held while the file is replaced; taken before mu

	mu      sync.Mutex
	doc     document
	changed bool // since the last save
	urgent  bool // changed by an operator, or by an event that is not reported again
	saved   time.Time
	damage  string
	err     error // of the last save
	since   time.Time

	began time.Duration // AwakeMs of earlier processes
}

type document struct {
	Kind    string `json:"sluice"`
	Version int    `json:"version"`
	// AwakeMs is the total time that processes ran with this file.
	AwakeMs int64            `json:"awake_ms"`
	Hosts   map[string]*Host `json:"hosts,omitempty"`
	// Messages is the state of the messenger, whose format is unknown here.
	Messages json.RawMessage `json:"messages,omitempty"`
}

// Open reads the file at path. If it does not exist, the state is empty. A damaged file is
// renamed to path.damaged, the state is empty, and Problem reports it.
func Open(fsys vfs.FS, path string) (*File, error) {
	f := &File{fsys: fsys, path: path}
	f.doc = document{Kind: documentKind, Version: documentVersion, Hosts: map[string]*Host{}}
	file, err := fsys.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch: open: %w", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(file, 0, maxFileBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("watch: read %s: %w", path, err)
	}
	if err := f.decode(b); err != nil {
		f.doc = document{Kind: documentKind, Version: documentVersion, Hosts: map[string]*Host{}}
		f.damage = fmt.Sprintf("%s was damaged (%s) and is now %s.damaged: acknowledgements, losses and the times of last messages are forgotten", path, err, path)
		if err := fsys.Rename(path, path+".damaged"); err != nil {
			return nil, fmt.Errorf("watch: rename the damaged %s: %w", path, err)
		}
	}
	f.began = time.Duration(f.doc.AwakeMs) * time.Millisecond
	return f, nil
}

func (f *File) decode(b []byte) error {
	if len(b) > maxFileBytes {
		return fmt.Errorf("it has more than %d bytes", maxFileBytes)
	}
	body, err := vfs.WithoutSum(b)
	if err != nil {
		return err
	}
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if doc.Kind != documentKind || doc.Version != documentVersion {
		return fmt.Errorf("it is %q version %d, not %q version %d", doc.Kind, doc.Version, documentKind, documentVersion)
	}
	if doc.AwakeMs < 0 || len(doc.Hosts) > maxHosts {
		return errors.New("it has content that sluice does not write")
	}
	for name, h := range doc.Hosts {
		if h == nil || name == "" || len(h.Restarts) > maxRestarts {
			return errors.New("it holds an impossible host")
		}
	}
	if doc.Hosts == nil {
		doc.Hosts = map[string]*Host{}
	}
	f.doc = doc
	return nil
}

// Save writes the file if all is set, if a change is urgent, or if something changed and
// saveInterval has passed. awake is how long this process ran. If nothing was to be written,
// Save returns the error of the last write.
func (f *File) Save(now time.Time, awake time.Duration, all bool) error {
	f.saving.Lock()
	defer f.saving.Unlock()
	f.mu.Lock()
	if due := f.changed && now.Sub(f.saved) >= saveInterval; !due && !f.urgent && !all {
		f.mu.Unlock()
		return f.failing()
	}
	f.doc.AwakeMs = (f.began + awake).Milliseconds()
	body, err := json.Marshal(&f.doc)
	urgent := f.urgent
	f.changed, f.urgent, f.saved = false, false, now
	f.mu.Unlock()
	if err == nil {
		err = vfs.Replace(f.fsys, f.path, vfs.WithSum(body))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.changed, f.urgent = true, f.urgent || urgent
		err = fmt.Errorf("watch: write %s: %w", f.path, err)
		if f.err == nil {
			f.since = now
		}
	}
	f.err = err
	return err
}

func (f *File) failing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Problem returns the problem of the file itself. "": none.
func (f *File) Problem() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return fmt.Sprintf("cannot save what must survive a restart, retrying since %s: %s", f.since.UTC().Format(time.RFC3339), f.err)
	}
	return f.damage
}

// Messages returns the state of the messenger. nil: there is none.
func (f *File) Messages() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doc.Messages
}

// SetMessages stores the state of the messenger, a JSON document. The File owns it afterwards.
func (f *File) SetMessages(state []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doc.Messages, f.changed, f.urgent = state, true, true
}
