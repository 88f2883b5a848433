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

// localError is an error of the local file to store.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

// connectError is the error of an attempt that got no connection to a name node.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// UnreachableError reports that an operation failed for Options.Wait.
type UnreachableError struct {
	Waited   time.Duration
	Attempts int
	Err      error // the error of the last attempt
	// NameNodes lists the name nodes with the results of the last connections.
	NameNodes string
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("gave up after %s, attempts: %d: %v (name nodes: %s)", e.Waited.Round(100*time.Millisecond), e.Attempts, e.Err, e.NameNodes)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// errDirectory, errNotDirectory: the name is used by something else.
var (
	errDirectory    = errors.New("there is a directory of this name")
	errNotDirectory = errors.New("there is a file where a directory must be")
)

// healthy reports whether the client that returned err can be used again: after success, and after
// plain answers of the name node.
func healthy(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, archive.ErrConflict)
}

// permanent reports whether a retry cannot help until somebody acts.
func permanent(err error) bool {
	var local localError
	switch {
	case errors.As(err, &local): // a retry would read the same disk
		return true
	case errors.Is(err, archive.ErrConflict), errors.Is(err, errDirectory), errors.Is(err, errNotDirectory):
		return true // the name is in use until somebody finds out why
	case errors.Is(err, fs.ErrNotExist): // a valid answer
		return true
	case errors.Is(err, fs.ErrPermission): // until an administrator grants it
		return true
	case errors.Is(err, protection.ErrSettings): // until tickets, keys or protections are changed
		return true
	}
	var remote dfs.Error
	if !errors.As(err, &remote) {
		return false // a connection error: name nodes and data nodes recover
	}
	switch simple(remote.Exception()) {
	case "AccessControlException": // as fs.ErrPermission, which the library does not return for it
		return true
	case "ParentNotDirectoryException", "PathIsNotDirectoryException", "FileAlreadyExistsException":
		return true // as errNotDirectory, found by the name node
	case "InvalidPathException", "HadoopIllegalArgumentException":
		return true // the same request would be rejected again
	}
	// Safe mode, a standby, quotas, missing data nodes, a lease of another client of this process:
	// all are temporary.
	return false
}

// simple returns the name of a Java class without its package.
func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// explain adds the name node's message, and a hint.
func explain(err error, kerberos bool) error {
	var remote dfs.Error
	if errors.As(err, &remote) {
		message, _, _ := strings.Cut(remote.Message(), "\n")
		err = fmt.Errorf("%w: %s", err, message)
	}
	text := err.Error()
	if !kerberos && (strings.Contains(text, "unexpected sequence number") || strings.Contains(text, "broken pipe") || strings.Contains(text, "connection reset")) {
		err = fmt.Errorf("%w (a name node with Kerberos ends a connection without in this way: does HADOOP_CONF_DIR name the cluster's configuration, and does its core-site.xml set hadoop.security.authentication?)", err)
	}
	return err
}
