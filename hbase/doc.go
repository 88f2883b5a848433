// Package hbase is the table: rows of typed cells under keys made from a line's
// own time and place.
//
// What package schema says of keys and cells holds on HBase and in columnar files
// alike. This package is the client of HBase: [Open] opens a table that
// [Admin] made, Put gathers rows by region and server and sends them as flights
// that go on until every row is durable or refused, Scan reads the salts' ranges
// side by side. Below it, package region knows where things are, rpc speaks to one
// server, and wire is what they say.
//
// A server that fails is tried again until the caller's context ends, never unseen:
// see Table.State. What is done about each error is decided in rpc.Classify.
package hbase
