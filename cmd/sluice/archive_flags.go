package main

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"sluice/hdfs"
)

// archiveFlags say which archive, and what is made in it.
type archiveFlags struct {
	Archive            string        `placeholder:"URL" help:"The archive: dir:PATTERN with %Y %m %d %H, %{host} and %{label:NAME} (default: dir:DATA/archive/%Y%m%d/%{host}); hdfs://NAMENODE1,NAMENODE2[:8020]/PATTERN; hdfs:///PATTERN with HADOOP_CONF_DIR."`
	ArchiveUploads     int           `default:"2" placeholder:"N" help:"Files that go to HDFS at a time."`
	ArchiveTimeout     time.Duration `default:"30s" placeholder:"TIME" help:"How long a server of HDFS may be silent, or a connection to it take, before it is tried again."`
	ArchivePermissions int           `default:"640" placeholder:"OCTAL" help:"Permissions of files in HDFS; directories can be entered by whom they let read."`
	ArchiveOwner       string        `placeholder:"USER:GROUP" help:"Owner of what is made in HDFS, which only its superuser may give away (default: who we are)."`
	ArchiveReplication int           `default:"0" placeholder:"N" help:"Copies of a file in HDFS (0: as its name node says)."`
	ArchiveBlockSize   mebibytes     `default:"0" placeholder:"MIB" help:"Block size of files in HDFS (0: as its name node says)."`
}

// options checks the flags for HDFS.
func (f archiveFlags) options() (hdfs.Options, error) {
	o := hdfs.Options{Replication: f.ArchiveReplication, BlockBytes: f.ArchiveBlockSize.bytes(), Uploads: f.ArchiveUploads, Timeout: f.ArchiveTimeout}
	if f.ArchiveUploads < 1 || f.ArchiveTimeout <= 0 || f.ArchiveReplication < 0 || f.ArchiveBlockSize < 0 {
		return o, usage("--archive-uploads takes 1 or more, --archive-timeout more than nothing, --archive-replication and --archive-block-size no less than 0")
	}
	bits, err := strconv.ParseUint(strconv.Itoa(f.ArchivePermissions), 8, 32)
	if err == nil && (bits > 0o777 || bits&0o600 != 0o600) {
		err = errors.New("between 600 and 777, and the owner must read and write")
	}
	if err != nil {
		return o, usage("--archive-permissions %d: octal, such as 640: %w", f.ArchivePermissions, err)
	}
	o.Permissions = fs.FileMode(bits)
	if f.ArchiveOwner != "" {
		user, group, ok := strings.Cut(f.ArchiveOwner, ":")
		if !ok || user == "" && group == "" || strings.Contains(group, ":") {
			return o, usage("--archive-owner %s: write USER:GROUP, USER: or :GROUP", f.ArchiveOwner)
		}
		o.User, o.Group = user, group
	}
	return o, nil
}
