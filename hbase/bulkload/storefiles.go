package bulkload

import (
	"context"
	"time"

	"sluice/hbase/region"
	"sluice/hbase/rpc"
)

// A region's number of files decides how a further one is added. Rows written with Put wait while a
// region has 16 files (hbase.hstore.blockingStoreFiles), so a load leaves room below that.
const (
	// maxExcludedFiles is the number of files below which a further one is left out of minor
	// compactions. HBase asks for a compaction after each load, which would write the rows again at
	// the cost that loading avoids; the next major compaction includes such files.
	maxExcludedFiles = 6
	// maxStoreFiles is the number of files from which a region gets its rows by Put: its
	// compactions are behind.
	maxStoreFiles = 12
	// storeFilesTimeout bounds the question. Without an answer the file takes part in minor
	// compactions.
	storeFilesTimeout = 10 * time.Second
)

// fileLimits are the numbers of a region's files from which a further one is added in another way.
type fileLimits struct{ excluded, most int }

// addition returns how a region with n files gets a further one: exclude is whether the file is left
// out of minor compactions, full whether the region gets rows by Put instead. Without an answer, known
// is false.
func (x fileLimits) addition(n int, known bool) (exclude, full bool) {
	return known && n < x.excluded, known && n >= x.most
}

// storeFiles returns the number of a region's files; ok is false if it is not known.
func (s *servers) storeFiles(ctx context.Context, r *region.Region) (n int, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, storeFilesTimeout)
	defer cancel()
	response, err := s.cluster.Admin(ctx, r.Server, &rpc.Request{Method: methodStoreFiles, Param: storeFilesRequest(s.family, r)})
	if err == nil {
		n, err = parseStoreFiles(response.Message)
		response.Release()
	}
	if err != nil {
		s.logger.Debug("cannot count the files of a region", "table", s.regions.Name(), "err", err)
	}
	return n, err == nil
}
