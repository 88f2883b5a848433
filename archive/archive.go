package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Archive stores sealed segments. Names are slash-separated, relative to the archive's root, and
// accepted by CheckName. Implementations are safe for concurrent use.
type Archive interface {
	// Store copies the sealed file at localPath to name. When it returns nil, the copy is complete,
	// verified and survives a crash; before that, no file is visible under name. Storing the same
	// bytes under the same name again succeeds. Other bytes under that name are not changed:
	// ErrConflict.
	Store(ctx context.Context, localPath, name string) error
	// Replace replaces an archived file by a copy of the file at localPath, for a repair. It is the
	// only way to put other bytes under a name. A reader gets the old bytes or the new ones,
	// complete. It returns fs.ErrNotExist if there is no such file.
	Replace(ctx context.Context, localPath, name string) error
	// Remove removes a file from the archive. It returns fs.ErrNotExist if there is none.
	Remove(ctx context.Context, name string) error
	// Mark creates an empty file DoneFile in the directory, and the directory if it is missing, to
	// say that no more files will be added to it. Marking again succeeds.
	Mark(ctx context.Context, dir string) error
	// List returns every file of the archive in the order of names, including files of other
	// programs, without unfinished and hidden ones (an element of the name begins with _ or .).
	List(ctx context.Context) ([]File, error)
	// Open opens a file for reading. It returns fs.ErrNotExist if there is none.
	Open(ctx context.Context, name string) (Reader, error)
	// Sweep removes temporary files: those of earlier processes of this owner, and those of other
	// owners that are Abandoned. It may run at the same time as Store.
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

// ErrConflict is returned if the archive has other bytes under the name: two collectors share an
// id, or one has lost its spool and numbers its segments from the beginning again.
var ErrConflict = errors.New("the archive has a different file of this name; does another collector use the same id?")

// TmpDir is the directory in an archive's root for unfinished files. The underscore hides it from
// Hive, Spark and MapReduce.
const TmpDir = "_tmp"

// DoneFile marks a directory as complete, as MapReduce and Spark mark their output. The underscore
// hides it from readers.
const DoneFile = "_SUCCESS"

// CheckName rejects names that lead out of the archive, that HDFS does not accept, or that are
// hidden from Hadoop's readers.
func CheckName(name string) error {
	if name == "" || path.IsAbs(name) || path.Clean(name) != name {
		return fmt.Errorf("archive name %q is not a plain relative path", name)
	}
	for element := range strings.SplitSeq(name, "/") {
		if !plainElement(element) {
			return fmt.Errorf("archive name %q: %q cannot be part of a path; %q can", name, element, pathElement(element))
		}
	}
	return nil
}
