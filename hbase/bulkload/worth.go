package bulkload

// worthBytes is the size of the log for one region from which a file costs less than Put: below it,
// preparing, uploading and compacting the files takes longer than the rows.
const worthBytes = 16 << 20

// Worth reports whether a log of so many bytes should be loaded into a table of so many regions. Its
// lines are spread over the regions, so each gets a file of its share.
func Worth(logBytes int64, regions int) bool {
	return regions > 0 && logBytes/int64(regions) >= worthBytes
}
