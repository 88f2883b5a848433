package main

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"sluice/hdfs"
)

// archiveFlags select an archive and how files are created in it.
type archiveFlags struct {
	Archive            string        `placeholder:"URL" help:"The archive: dir:PATTERN with %Y %m %d %H, %{host} and %{label:NAME} (default: dir:DATA/archive/%Y%m%d/%{host}); hdfs://NAMENODE1,NAMENODE2[:8020]/PATTERN; hdfs:///PATTERN with HADOOP_CONF_DIR."`
	ArchiveUploads     int           `default:"2" placeholder:"N" help:"Number of concurrent uploads."`
	ArchiveTimeout     time.Duration `default:"30s" placeholder:"TIME" help:"Time limit for a connection to an HDFS server, and for its silence, before the operation is retried."`
	ArchivePermissions int           `default:"640" placeholder:"OCTAL" help:"Permissions of files in HDFS. Directories get the execute bit wherever files get the read bit."`
	ArchiveOwner       string        `placeholder:"USER:GROUP" help:"Owner of files and directories in HDFS; only the superuser of HDFS can set another one (default: the user that is logged in)."`
	ArchiveReplication int           `default:"0" placeholder:"N" help:"Replication of files in HDFS (0: the name node's default)."`
	ArchiveBlockSize   mebibytes     `default:"0" placeholder:"MIB" help:"Block size of files in HDFS (0: the name node's default)."`
}

// options checks the flags and returns the options for HDFS.
func (f archiveFlags) options() (hdfs.Options, error) {
	o := hdfs.Options{Replication: f.ArchiveReplication, BlockBytes: f.ArchiveBlockSize.bytes(), Uploads: f.ArchiveUploads, Timeout: f.ArchiveTimeout}
	if f.ArchiveUploads < 1 || f.ArchiveTimeout <= 0 || f.ArchiveReplication < 0 || f.ArchiveBlockSize < 0 {
		return o, usage("--archive-uploads must be at least 1, --archive-timeout greater than 0, --archive-replication and --archive-block-size at least 0")
	}
	bits, err := strconv.ParseUint(strconv.Itoa(f.ArchivePermissions), 8, 32)
	if err == nil && (bits > 0o777 || bits&0o600 != 0o600) {
		err = errors.New("it must be from 600 to 777 and let the owner read and write")
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
