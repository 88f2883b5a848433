// Package index is what an archive holds: its files, the members in them, and
// the streams that these are ranges of.
//
// [Read] goes through the headers only, 62 bytes a member and a stream's entry
// once a file, and keeps about 90 bytes for each member. [Catalog.Walk] reads the
// lines. Nothing is believed of a file: what is no member is passed over and
// remembered as damage, and a file that no collector wrote is listed as foreign.
package index
