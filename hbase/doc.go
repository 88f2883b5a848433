// Package hbase is the table: rows of typed cells under keys made from a line's
// own time and place.
//
// What package schema says of keys and cells holds on HBase and in a local folder
// alike (package embedded); package tabletest holds both to one contract.
package hbase
