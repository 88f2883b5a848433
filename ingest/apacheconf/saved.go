package apacheconf

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"sluice/ingest/tail"
)

// saved is the content of the file with the last valid configuration.
type saved struct {
	Conf    string        `json:"conf"`
	Sources []tail.Source `json:"sources"`
}

// maxSavedBytes limits the file.
const maxSavedBytes = 64 << 20

// save writes the sources to a file. A disk error only affects a later start at which the
// configuration cannot be read.
func (f *Follower) save() {
	if f.cfg.Saved == "" {
		return
	}
	text, err := json.Marshal(saved{f.cfg.Path, f.present})
	if err == nil {
		err = os.WriteFile(f.cfg.Saved+".tmp", append(text, '\n'), 0o640)
	}
	if err == nil {
		err = os.Rename(f.cfg.Saved+".tmp", f.cfg.Saved)
	}
	if err != nil {
		f.cfg.Log.Warn("cannot save the logs of the apache configuration", "path", f.cfg.Saved, "err", err)
	}
}

// restore follows the saved sources of the same configuration.
func (f *Follower) restore() {
	if f.cfg.Saved == "" {
		return
	}
	info, err := os.Stat(f.cfg.Saved)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var text []byte
	if err == nil && info.Size() > maxSavedBytes {
		err = errors.New("the file is too large")
	}
	if err == nil {
		text, err = os.ReadFile(f.cfg.Saved)
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		f.cfg.Log.Warn("cannot read the saved logs of the apache configuration", "path", f.cfg.Saved, "err", err)
		return
	}
	if s.Conf != f.cfg.Path {
		return
	}
	for i := range s.Sources { // as the flags are now
		x := &s.Sources[i]
		x.Zone, x.Labels, x.Exclude = f.cfg.Like.Zone, f.cfg.Like.Labels, f.cfg.Like.Exclude
	}
	f.present = s.Sources
	f.sources.Set(s.Sources)
}

// equal reports whether two sources are equal.
func equal(a, b tail.Source) bool {
	return a.Pattern == b.Pattern && a.Format == b.Format && a.Zone == b.Zone && a.Optional == b.Optional && slices.Equal(a.Exclude, b.Exclude) && maps.Equal(a.Labels, b.Labels)
}

// newer reports whether the file at a was written after the one at b.
func newer(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err != nil || x.ModTime().After(y.ModTime())
}
