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

// The numbers are those of docs/bulkload.md.
func TestTheNumberOfARegionsFilesDecidesHowAFurtherOneIsAdded(t *testing.T) {
	limits := fileLimits{maxExcludedFiles, maxStoreFiles}
	for _, c := range []struct {
		files                int
		known, exclude, full bool
	}{
		{0, true, true, false},
		{5, true, true, false},
		{6, true, false, false},
		{11, true, false, false},
		{12, true, false, true},
		{100, true, false, true},
		{0, false, false, false}, // without an answer: the compactions bound them
	} {
		if exclude, full := limits.addition(c.files, c.known); exclude != c.exclude || full != c.full {
			t.Errorf("%d files, known %t: exclude %t, full %t", c.files, c.known, exclude, full)
		}
	}
}

func TestLoadingPaysFromASizeForEachRegion(t *testing.T) {
	for _, c := range []struct {
		bytes   int64
		regions int
		want    bool
	}{
		{16 << 20, 1, true},
		{16<<20 - 1, 1, false},
		{8 * 16 << 20, 8, true},
		{8*16<<20 - 1, 8, false},
		{1 << 40, 0, false}, // not known
		{0, 8, false},
	} {
		if got := Worth(c.bytes, c.regions); got != c.want {
			t.Errorf("%d bytes, %d regions: %t", c.bytes, c.regions, got)
		}
	}
}
