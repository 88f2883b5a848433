package bulkload

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/hbase/region"
	"sluice/retry"
)

// The limit of failing attempts does not include the upload before the first one: a load that fails
// once after it is repeated.
func TestALoadAfterALongUploadIsRetried(t *testing.T) {
	for _, class := range []string{
		"org.apache.hadoop.hbase.exceptions.RegionOpeningException", notServing,
		"org.apache.hadoop.hbase.exceptions.RegionMovedException",
	} {
		synctest.Test(t, func(t *testing.T) {
			refused := false
			f := &fakeServer{refuse: func(method string) string {
				if method != methodLoad || refused {
					return ""
				}
				refused = true
				return class
			}}
			staging := &fakeStaging{upload: func(ctx context.Context) error { return retry.Sleep(ctx, 3*time.Minute) }}
			l, table, closeServed := newServed(t, f, staging, time.Minute)
			defer closeServed()
			if err := l.Put(t.Context(), localRows(10)); err != nil {
				t.Fatal(err)
			}
			if err := l.Flush(t.Context()); err != nil {
				t.Errorf("%s: %v", class, err)
			}
			if n := f.count(methodLoad); n != 2 || table.rows > 0 {
				t.Errorf("%s: asked %d times, %d rows for Put", class, n, table.rows)
			}
		})
	}
}

// The servers of a disabled table only answer that they do not have its regions.
func TestALoadIntoADisabledTableEndsWithThatReason(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeServer{}
			l, _, closeServed := newServed(t, f, &fakeStaging{}, wait)
			defer closeServed()
			if err := l.Put(t.Context(), localRows(10)); err != nil {
				t.Fatal(err)
			}
			f.disable()
			// An hour of the bubble's clock, which only a hang meets.
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := l.Flush(ctx); !errors.Is(err, region.ErrTableDisabled) {
				t.Errorf("wait %s: load: %v", wait, err)
			}
			if err := l.directories.remove(ctx, "hdfs://n/staging/x"); !errors.Is(err, region.ErrTableDisabled) {
				t.Errorf("wait %s: removal of the staging directory: %v", wait, err)
			}
		})
	}
}
