package embedded

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// state says what the names in a folder are: a store, or nothing that counts (nil,
// false), or something else, which is ErrNotTable before anything is made in it.
func state(names []string) (store bool, err error) {
	if slices.ContainsFunc(names, isManifestMarker) && !halfMade(names) {
		return true, nil
	}
	for _, name := range names {
		if !pebbleName(name) {
			return false, fmt.Errorf("%w: there is %q in it", ErrNotTable, name)
		}
	}
	return false, nil
}

// pebbleName reports whether Pebble makes files of this name.
func pebbleName(name string) bool {
	if name == lockName || strings.HasPrefix(name, "marker.") ||
		strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "OPTIONS-") {
		return true
	}
	number, suffix, _ := strings.Cut(name, ".")
	return number != "" && strings.Trim(number, "0123456789") == "" &&
		(suffix == "log" || suffix == "sst" || suffix == "dbtmp")
}

const lockName = "LOCK"

// isManifestMarker: the marker's name ends in that of the manifest in force.
func isManifestMarker(name string) bool { return strings.HasPrefix(name, "marker.manifest.") }

// halfMade: a crash while the store was made can leave the marker of a manifest
// that did not reach the disk. Pebble will not open that; there is nothing in it.
func halfMade(names []string) bool {
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			return false
		}
		manifest := name[strings.LastIndexByte(name, '.')+1:]
		if isManifestMarker(name) && slices.Contains(names, manifest) {
			return false
		}
	}
	return slices.ContainsFunc(names, isManifestMarker)
}

// clearHalfMade takes the markers of a half-made store away, so that Pebble makes
// it from the beginning.
func (d *disk) clearHalfMade(dir string) (err error) {
	if names, err := d.List(dir); err != nil || !halfMade(names) {
		return nil // not there yet, or not for us; opening will say
	}
	lock, err := d.Lock(d.PathJoin(dir, lockName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	names, err := d.List(dir) // nobody is making it now
	if err != nil || !halfMade(names) {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "marker.") {
			if err := d.Remove(d.PathJoin(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
