// Package index lists what an archive has: its files, the members in them, and the streams whose
// ranges these are.
//
// [Read] reads the headers only, 62 bytes a member and a stream's entry once a file, and keeps
// about 90 bytes for each member. [Catalog.Walk] reads the lines. Files are not trusted: bytes that
// are not a member are skipped and recorded as damage, and a file that no collector wrote is listed
// as foreign.
package index
