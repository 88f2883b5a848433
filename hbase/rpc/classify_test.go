package rpc

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestEachExceptionHasItsReaction(t *testing.T) {
	const p = packageHBase
	for _, c := range []struct {
		err  error
		want Reaction
	}{
		{&RemoteError{Class: p + "NotServingRegionException"}, Locate},
		{&RemoteError{Class: p + "NotServingRegionException", Message: "t,,1.x is closing"}, Locate},
		{&RemoteError{Class: p + "exceptions.RegionMovedException"}, Locate},
		{&RemoteError{Class: p + "exceptions.RegionOpeningException"}, Pause},
		{&RemoteError{Class: p + "CallQueueTooBigException", DoNotRetry: false}, Pause},
		{&RemoteError{Class: p + "CallDroppedException"}, Pause},
		{&RemoteError{Class: p + "RegionTooBusyException"}, Pause},
		{&RemoteError{Class: p + "quotas.RpcThrottlingException"}, Pause},
		{&RemoteError{Class: p + "RetryImmediatelyException"}, RetryNow},
		{&RemoteError{Class: p + "regionserver.RegionServerStoppedException"}, Locate},
		{&RemoteError{Class: p + "regionserver.RegionServerAbortedException"}, Locate},
		{&RemoteError{Class: p + "ipc.ServerNotRunningYetException"}, Locate},
		{&RemoteError{Class: p + "PleaseHoldException"}, Locate},
		{&RemoteError{Class: p + "MasterNotRunningException"}, Locate},
		{&RemoteError{Class: "org.apache.hadoop.ipc.RemoteException"}, Locate},
		{&RemoteError{Class: p + "UnknownScannerException", DoNotRetry: true}, Reopen},
		{&RemoteError{Class: p + "exceptions.ScannerResetException", DoNotRetry: true}, Reopen},
		{&RemoteError{Class: p + "regionserver.LeaseException", DoNotRetry: true}, Reopen},
		{&RemoteError{Class: p + "exceptions.OutOfOrderScannerNextException", DoNotRetry: true}, Reopen},
		{&RemoteError{Class: p + "TableNotFoundException", DoNotRetry: true}, GiveUp},
		{&RemoteError{Class: p + "TableNotEnabledException", DoNotRetry: true}, GiveUp},
		{&RemoteError{Class: p + "security.AccessDeniedException", DoNotRetry: true}, GiveUp},
		{&RemoteError{Class: "org.apache.hadoop.security.AccessControlException"}, GiveUp},
		{&RemoteError{Class: p + "regionserver.NoSuchColumnFamilyException"}, GiveUp},
		{&RemoteError{Class: p + "exceptions.RequestTooBigException"}, RefuseRow},
		{&RemoteError{Class: p + "DoNotRetryIOException"}, RefuseRow},
		{&RemoteError{Class: p + "exceptions.FailedSanityCheckException", Message: "Requested row out of range for doMiniBatchMutation"}, Locate},
		{&RemoteError{Class: p + "exceptions.FailedSanityCheckException", Message: "Timestamp for KV out of range"}, RefuseRow},
		{&RemoteError{Class: "java.io.IOException", Message: "disk"}, Unknown},
		{&RemoteError{Class: "java.io.IOException", Overloaded: true}, Pause},
		{&RemoteError{Class: "a.b.New", DoNotRetry: true}, RefuseRow},
		{fmt.Errorf("a: %w", lost(Server{}, errors.New("reset"))), Locate},
		{lost(Server{}, &RemoteError{Class: "org.apache.hadoop.security.AccessControlException"}), GiveUp},
		{lost(Server{}, fmt.Errorf("the wrong key: %w", ErrSettings)), GiveUp},
		{lost(Server{}, ErrNoAnswer), Unknown},
		{context.DeadlineExceeded, Locate},
		{context.Canceled, GiveUp},
		{errClosed, GiveUp},
		{errors.New("what?"), Unknown},
		{nil, RetryNow},
	} {
		if got := Classify(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}

func TestRegionMovedNamesTheServer(t *testing.T) {
	for text, want := range map[string]*Server{
		"Region moved to: hostname=rs2.example port=16020 startCode=17. As of locationSeqNum=4.": {Host: "rs2.example", Port: 16020},
		"hostname=a port=99999 startCode=1": nil,
		"hostname=a":                        nil,
		"nothing":                           nil,
	} {
		got := movedTo(text)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
