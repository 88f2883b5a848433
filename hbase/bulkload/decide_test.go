package bulkload

import (
	"context"
	"errors"
	"testing"

	"sluice/hbase/rpc"
)

func TestWhatFollowsAnAttempt(t *testing.T) {
	remote := func(class string) error {
		return &rpc.RemoteError{Class: "org.apache.hadoop.hbase." + class, DoNotRetry: class == "DoNotRetryIOException"}
	}
	for name, c := range map[string]struct {
		attempt
		want verdict
	}{
		"the server has it":                        {attempt{answer: true, staged: false}, loaded},
		"the server has it, the file is seen late": {attempt{answer: true, staged: true}, loaded},
		"false, the file is there":                 {attempt{staged: true, tries: 1}, locate},
		"false, the file is gone":                  {attempt{staged: false, tries: 1}, stage},
		"false again and again":                    {attempt{staged: true, tries: maxTries}, puts},
		"moved":                                    {attempt{err: remote("exceptions.RegionMovedException"), staged: true, tries: 1}, locate},
		"split":                                    {attempt{err: remote("NotServingRegionException"), staged: true, tries: 1}, locate},
		"opening":                                  {attempt{err: remote("exceptions.RegionOpeningException"), staged: true, tries: 1}, again},
		"busy":                                     {attempt{err: remote("RegionTooBusyException"), staged: true, tries: 1}, again},
		"lost, the file is there":                  {attempt{err: rpc.ErrLost, staged: true, tries: 1}, locate},
		"lost, the file is gone":                   {attempt{err: rpc.ErrLost, tries: 1}, stage},
		"no answer in time, the file is gone":      {attempt{err: context.DeadlineExceeded, tries: 1}, stage},
		"unknown, the file is gone":                {attempt{err: errors.New("?"), tries: 1}, stage},
		"unknown, the file is there":               {attempt{err: errors.New("?"), staged: true, tries: 1}, again},
		"unknown for long":                         {attempt{err: errors.New("?"), staged: true, tries: maxTries}, puts},
		"no permission":                            {attempt{err: remote("security.AccessDeniedException"), staged: true, tries: 1}, puts},
		"no such method":                           {attempt{err: &rpc.RemoteError{Class: "java.lang.UnsupportedOperationException"}, staged: true, tries: 1}, puts},
		"no token":                                 {attempt{err: remote("DoNotRetryIOException"), staged: true, tries: 1}, puts},
		"the table is disabled":                    {attempt{err: remote("TableNotEnabledException"), staged: true, tries: 1}, fail},
		"cancelled":                                {attempt{err: context.Canceled, staged: true, tries: 1}, fail},
	} {
		if got := decide(c.attempt); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
