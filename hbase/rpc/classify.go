package rpc

import (
	"context"
	"errors"
	"strings"
)

// Reaction is what to do after an error.
type Reaction uint8

const (
	// GiveUp: permanent for this table until somebody acts.
	GiveUp Reaction = iota
	// RefuseRow: these bytes will never be accepted. Of several rows it may be any.
	RefuseRow
	// RetryNow: repeat the call at the same server.
	RetryNow
	// Pause: repeat the call at the same server after a pause.
	Pause
	// Locate: locate the region again after a pause, as it has moved.
	Locate
	// Reopen: open a scanner after the last row received.
	Reopen
	// Unknown: unknown, possibly temporary: pause, and give up after a number of attempts.
	Unknown
)

var reactionNames = [...]string{
	GiveUp: "give up", RefuseRow: "refuse the row", RetryNow: "retry now", Pause: "pause",
	Locate: "locate again", Reopen: "open the scanner again", Unknown: "retry some times",
}

func (r Reaction) String() string { return reactionNames[r] }

const (
	packageHBase     = "org.apache.hadoop.hbase."
	classRegionMoved = packageHBase + "exceptions.RegionMovedException"
)

// Classify decides about the error of a call, or the exception of one region or row in a response.
// nil is RetryNow.
func Classify(err error) Reaction {
	var remote *RemoteError
	var unreachable *UnreachableError
	switch {
	case err == nil:
		return RetryNow
	case errors.As(err, &unreachable):
		return GiveUp // the user's time limit is over
	case errors.Is(err, context.Canceled), errors.Is(err, errClosed):
		return GiveUp // cancelled by the caller
	case errors.Is(err, ErrSettings):
		return GiveUp // needs an action by the operator
	case errors.As(err, &remote):
		return classify(remote)
	case errors.Is(err, context.DeadlineExceeded):
		return Locate // a call timed out: the region may have moved
	case errors.Is(err, ErrNoAnswer):
		return Unknown // it closed just then, or never accepts this client
	case errors.Is(err, ErrLost):
		return Locate // the server may be dead, and its regions will be opened by others
	}
	return Unknown // for example a response that cannot be parsed
}

// classify decides by the class's name: exceptions of rows have nothing else.
func classify(e *RemoteError) Reaction {
	switch strings.TrimPrefix(e.Class, packageHBase) {
	case "NotServingRegionException", // moved, split, closing, or its server has just died
		"exceptions.RegionMovedException",                  // with the new location
		"regionserver.RegionServerStoppedException",        // a server that is shutting down: others get its regions
		"regionserver.RegionServerAbortedException",        // the same, without a clean shutdown
		"ipc.ServerNotRunningYetException",                 // a restarted server has none of its old regions
		"regionserver.WrongRegionException",                // the row is not in the region: the cached location is old
		"exceptions.MasterStoppedException",                // for calls to the master: another one is active
		"PleaseHoldException", "MasterNotRunningException", // a master that is starting, or a standby
		"ipc.StoppedRpcClientException":
		return Locate
	case "exceptions.FailedSanityCheckException":
		// A do-not-retry class; but a row outside the region only means that the cached location is
		// old (the region was split). The other case is a bad timestamp.
		if strings.Contains(e.Message, "row out of range") {
			return Locate
		}
		return RefuseRow
	case "exceptions.RegionOpeningException", // it will be open soon
		"CallQueueTooBigException", // the server's queue is full
		"CallDroppedException",     // waited too long in the server's queue
		"RegionTooBusyException",   // the memstore is full until a flush ends
		"ipc.CallerDisconnectedException",
		"exceptions.TimeoutIOException",
		"ipc.CallTimeoutException",
		"quotas.RpcThrottlingException", // a quota of calls a second
		"exceptions.RpcThrottlingException":
		return Pause
	case "RetryImmediatelyException": // only some of the actions fitted: repeat the rest at once
		return RetryNow
	case "UnknownScannerException", // its lease expired, or the server was restarted
		"exceptions.ScannerResetException",          // the server lost its position
		"regionserver.LeaseException",               // two calls overlapped
		"exceptions.OutOfOrderScannerNextException", // a response was lost
		"regionserver.LeaseManager$LeaseStillHeldException":
		return Reopen
	case "TableNotFoundException", "TableNotEnabledException", "TableExistsException",
		"NamespaceNotFoundException", "NamespaceExistException",
		"security.AccessDeniedException",           // and AccessControlException below: missing permission
		"regionserver.NoSuchColumnFamilyException", // every row has this family: it is another table
		"quotas.SpaceLimitingException",            // space quota exceeded
		"snapshot.CorruptedSnapshotException":
		return GiveUp
	}
	return byLastName(e)
}

// byLastName decides by the class's name without its package.
func byLastName(e *RemoteError) Reaction {
	switch e.Class[strings.LastIndexByte(e.Class, '.')+1:] {
	case "AccessControlException", "SaslException", "InvalidToken":
		return GiveUp // the log-in failed
	case "RequestTooBigException", // the frame: smaller ones may fit, or this row never
		"IllegalArgumentException", "InvalidFamilyOperationException",
		"DoNotRetryIOException": // bare: a cell over the server's limit fails its whole region
		return RefuseRow
	case "UnsupportedOperationException": // the server does not have the method
		return GiveUp
	case "RemoteException":
		// From Hadoop: a server that was paused for longer than its session loses its write-ahead
		// log. Its regions are elsewhere.
		return Locate
	}
	switch {
	case e.DoNotRetry:
		return RefuseRow
	case e.Overloaded:
		return Pause
	}
	return Unknown
}
