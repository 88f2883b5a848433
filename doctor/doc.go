// Package doctor says step by step what works: a Report is what the steps hand
// their findings to. Folder is the examination of a folder on this machine; those
// of a cluster stand where the cluster's client is.
package doctor
