package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Archive is where sealed segments go. Names are slash-separated, relative to the
// archive's root, and accepted by CheckName. Implementations are safe for
// concurrent use.
type Archive interface {
	// Store puts a copy of the sealed file at localPath under name. When it
	// returns nil the copy is whole, verified and survives a crash; before that
	// nothing is seen under name. Storing the same bytes under the same name again
	// succeeds. Other bytes under that name are left alone: ErrConflict.
	Store(ctx context.Context, localPath, name string) error
	// Replace puts a copy of the file at localPath in the place of an archived one,
	// for a repair: the one way to other bytes under a name. Whoever opens it reads
	// the old bytes or the new ones, whole. fs.ErrNotExist where there is none.
	Replace(ctx context.Context, localPath, name string) error
	// Remove takes a file out of the archive; fs.ErrNotExist where there is none.
	Remove(ctx context.Context, name string) error
	// Mark puts an empty file DoneFile into the directory, which is made if need be:
	// nothing more is to come there. Marking again succeeds.
	Mark(ctx context.Context, dir string) error
	// List gives every file of the archive, in the order of names. Files of other
	// programs are among them; unfinished and hidden ones (an element of the name
	// that begins with _ or .) are not.
	List(ctx context.Context) ([]File, error)
	// Open reads one; fs.ErrNotExist where there is none.
	Open(ctx context.Context, name string) (Reader, error)
	// Sweep removes temporary files: those of earlier processes of this owner, and those of
	// other owners that have been Abandoned. It may run beside Store.
	Sweep(ctx context.Context) error
}

// File is an archived file.
type File struct {
	Name  string
	Bytes int64
}

// Reader is an open archived file.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// ErrConflict: the archive has other bytes under the name. Two collectors share
// an id, or one has lost its spool and counts from the beginning again.
var ErrConflict = errors.New("the archive has a different file of this name; does another collector use the same id?")

// TmpDir is the directory in an archive's root where unfinished files are. The
// underscore hides it from Hive, Spark and MapReduce.
const TmpDir = "_tmp"

// DoneFile says that a directory is complete, as MapReduce and Spark say it of
// their output. The underscore hides it from readers.
const DoneFile = "_SUCCESS"

// CheckName refuses names that lead out of the archive, that HDFS does not take,
// or that are hidden from Hadoop's readers.
func CheckName(name string) error {
	if name == "" || path.IsAbs(name) || path.Clean(name) != name {
		return fmt.Errorf("archive name %q is not a plain relative path", name)
	}
	for element := range strings.SplitSeq(name, "/") {
		if !plainElement(element) {
			return fmt.Errorf("archive name %q: %q cannot be part of a path; %q can", name, element, Element(element))
		}
	}
	return nil
}
