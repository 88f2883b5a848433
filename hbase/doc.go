// Package hbase is the table in HBase: rows of typed cells under keys that are made from a line's
// time and position, as defined in package schema.
//
// [Open] opens a table that [Admin] created. Put groups rows by region and server and sends them as
// flights, which are retried until every row is durable or rejected. Scan reads the ranges of the
// salts concurrently. Package region locates regions and servers, rpc is a connection to one
// server, and wire the encoding of messages and cells.
//
// A call to a failing server is retried until the caller's context ends; Table.State lists what is
// being retried. rpc.Classify decides about each error.
package hbase
