package rpc

import (
	"context"
	"errors"
	"strings"
)

// Reaction is what to do about an error.
type Reaction uint8

const (
	// GiveUp: no call to this table will do better; somebody has to mend something.
	GiveUp Reaction = iota
	// RefuseRow: these bytes will never be taken. Of several rows it may be any.
	RefuseRow
	// RetryNow, the same call at the same place.
	RetryNow
	// Pause, then the same call at the same place.
	Pause
	// Locate the region again, after a pause, for it is not where we thought.
	Locate
	// Reopen the scanner after the last row that it gave.
	Reopen
	// Doubt: an error that may pass: pause, and after a number of times give up.
	Doubt
)

var reactionNames = [...]string{
	GiveUp: "give up", RefuseRow: "refuse the row", RetryNow: "retry now", Pause: "pause",
	Locate: "locate again", Reopen: "open the scanner again", Doubt: "retry some times",
}

func (r Reaction) String() string { return reactionNames[r] }

const (
	packageHBase     = "org.apache.hadoop.hbase."
	classRegionMoved = packageHBase + "exceptions.RegionMovedException"
)

// Classify decides about an error of a call, or about the exception of one region
// or row inside an answer. nil is RetryNow.
func Classify(err error) Reaction {
	var remote *RemoteError
	var unreachable *UnreachableError
	switch {
	case err == nil:
		return RetryNow
	case errors.As(err, &unreachable):
		return GiveUp // it was tried for as long as the user wants to wait
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
		return GiveUp // our own side had enough
	case errors.Is(err, ErrSettings):
		return GiveUp // whoever runs us has something to do
	case errors.As(err, &remote):
		return classify(remote)
	case errors.Is(err, context.DeadlineExceeded):
		return Locate // a call took too long: the region may be served elsewhere by now
	case errors.Is(err, ErrMute):
		return Doubt // it ended just then, or it will never talk to us
	case errors.Is(err, ErrLost):
		return Locate // the server may be dead, and its regions will be opened by others
	}
	return Doubt // an answer that cannot be read, for one
}

// classify decides by the class's name: exceptions for rows carry nothing else.
func classify(e *RemoteError) Reaction {
	switch strings.TrimPrefix(e.Class, packageHBase) {
	case "NotServingRegionException", // moved, split, closing, or its server has only just died
		"exceptions.RegionMovedException",                  // and it says where to
		"regionserver.RegionServerStoppedException",        // a server on its way out: others get its regions
		"regionserver.RegionServerAbortedException",        // the same, in a hurry
		"ipc.ServerNotRunningYetException",                 // a server just started has none of its old regions
		"regionserver.WrongRegionException",                // the row is not in the region: our lookup is old
		"exceptions.MasterStoppedException",                // for calls to the master: another one took over
		"PleaseHoldException", "MasterNotRunningException", // a master that is starting, or a standby
		"ipc.StoppedRpcClientException":
		return Locate
	case "exceptions.FailedSanityCheckException":
		// A do-not-retry class; but a row outside the region means only that our
		// lookup is old (the region was split). The other case is a bad timestamp.
		if strings.Contains(e.Message, "row out of range") {
			return Locate
		}
		return RefuseRow
	case "exceptions.RegionOpeningException", // it will be here in a moment
		"CallQueueTooBigException", // more calls wait than the server wants: later, same place
		"CallDroppedException",     // waited too long in the server's queue
		"RegionTooBusyException",   // memstore full until a flush is through
		"ipc.CallerDisconnectedException",
		"exceptions.TimeoutIOException",
		"ipc.CallTimeoutException",
		"quotas.RpcThrottlingException", // a quota of calls a second
		"exceptions.RpcThrottlingException":
		return Pause
	case "RetryImmediatelyException": // only some of the actions fitted: the rest at once
		return RetryNow
	case "UnknownScannerException", // its lease ran out, or the server is a new one
		"exceptions.ScannerResetException",          // the server lost its place
		"regionserver.LeaseException",               // two calls crossed each other
		"exceptions.OutOfOrderScannerNextException", // an answer was lost on the way
		"regionserver.LeaseManager$LeaseStillHeldException":
		return Reopen
	case "TableNotFoundException", "TableNotEnabledException", "TableExistsException",
		"NamespaceNotFoundException", "NamespaceExistException",
		"security.AccessDeniedException",           // and AccessControlException below: not this user
		"regionserver.NoSuchColumnFamilyException", // every row has this family: the table is another one
		"quotas.SpaceLimitingException",            // no space left by quota
		"snapshot.CorruptedSnapshotException":
		return GiveUp
	}
	return byLastName(e)
}

// byLastName decides about classes that other packages have too, and the rest.
func byLastName(e *RemoteError) Reaction {
	switch e.Class[strings.LastIndexByte(e.Class, '.')+1:] {
	case "AccessControlException", "SaslException", "InvalidToken":
		return GiveUp // the log-in failed
	case "RequestTooBigException", // the frame: smaller ones will do, or this row never
		"IllegalArgumentException", "InvalidFamilyOperationException",
		"DoNotRetryIOException": // bare: a cell over the server's limit fails its whole region
		return RefuseRow
	case "UnsupportedOperationException": // a method that this server does not have
		return GiveUp
	case "RemoteException":
		// Hadoop's: a server that was paused past its session finds its write-ahead
		// log taken away by the file system. The regions are elsewhere.
		return Locate
	}
	switch {
	case e.DoNotRetry:
		return RefuseRow
	case e.Overloaded:
		return Pause
	}
	return Doubt
}
