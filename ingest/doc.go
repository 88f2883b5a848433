// Package ingest reads log files and stores their lines: [Once] reads logs to their end,
// [Follow] reads them as they grow. Both pass batches of whole lines to a
// [sluice/ingest/collector.Collector], which stores them in a table and an archive.
package ingest
