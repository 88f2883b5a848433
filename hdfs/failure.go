package hdfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	dfs "github.com/colinmarc/hdfs/v2"

	"sluice/archive"
	"sluice/hdfs/protection"
)

// localError is about the file to be stored.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

// UnreachableError is the end of what was tried for as long as Options.Wait.
type UnreachableError struct {
	Waited   time.Duration
	Attempts int
	Err      error // of the last attempt
	// NameNodes says of each name node what came of the last connection to it.
	NameNodes string
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("gave up after %s, attempts: %d: %v (name nodes: %s)", e.Waited.Round(100*time.Millisecond), e.Attempts, e.Err, e.NameNodes)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// errDirectory, errNotDirectory: something else has the name.
var (
	errDirectory    = errors.New("there is a directory of this name")
	errNotDirectory = errors.New("there is a file where a directory must be")
)

// healthy reports whether the client that gave err can be used again: the name
// node's plain answers, and none.
func healthy(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, archive.ErrConflict)
}

// permanent reports whether trying again is of no use until somebody acts.
func permanent(err error) bool {
	var local localError
	switch {
	case errors.As(err, &local): // another attempt reads the same disk
		return true
	case errors.Is(err, archive.ErrConflict), errors.Is(err, errDirectory), errors.Is(err, errNotDirectory):
		return true // the name is taken until somebody looks at why
	case errors.Is(err, fs.ErrNotExist): // an answer
		return true
	case errors.Is(err, fs.ErrPermission): // until an administrator grants it
		return true
	case errors.Is(err, protection.ErrSettings): // until somebody changes tickets, keys or protections
		return true
	}
	var remote dfs.Error
	if !errors.As(err, &remote) {
		return false // a connection: name nodes and data nodes come back
	}
	switch simple(remote.Exception()) {
	case "AccessControlException": // as fs.ErrPermission, where the library does not say so
		return true
	case "ParentNotDirectoryException", "PathIsNotDirectoryException", "FileAlreadyExistsException":
		return true // as errNotDirectory, found by the name node
	case "InvalidPathException", "HadoopIllegalArgumentException":
		return true // it would refuse the same request again
	}
	// Safe mode, a standby, quotas, missing data nodes, a lease that another client
	// of ours had: all of them end.
	return false
}

// simple is a Java class without its package.
func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// explain adds the name node's own words, and what a user can do.
func explain(err error, kerberos bool) error {
	var remote dfs.Error
	if errors.As(err, &remote) {
		message, _, _ := strings.Cut(remote.Message(), "\n")
		err = fmt.Errorf("%w: %s", err, message)
	}
	text := err.Error()
	if !kerberos && (strings.Contains(text, "unexpected sequence number") || strings.Contains(text, "broken pipe") || strings.Contains(text, "connection reset")) {
		err = fmt.Errorf("%w (a name node with Kerberos ends a connection without in this way: does HADOOP_CONF_DIR name the cluster's configuration, and does its core-site.xml say hadoop.security.authentication?)", err)
	}
	return err
}
