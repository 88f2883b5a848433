import java.io.FileNotFoundException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.fs.HFileSystem;
import org.apache.hadoop.hbase.io.hfile.CacheConfig;
import org.apache.hadoop.hbase.io.hfile.HFile;
import org.apache.hadoop.hbase.io.hfile.HFileScanner;

// CountChecksums reads every cell of the store files of all tables whose names begin with the
// argument, with HBase's own reader, and prints the number of files, of those that were loaded, of
// cells, and of checksums that were wrong. Files in HBase's archive, which compactions have replaced,
// are read too.
class CountChecksums {
  public static void main(String[] args) throws Exception {
    Configuration conf = HBaseConfiguration.create();
    FileSystem fs = new HFileSystem(conf, true);
    long files = 0, loaded = 0, cells = 0;
    HFile.getAndResetChecksumFailuresCount();
    for (String root : new String[] {"/hbase/data/default", "/hbase/archive/data/default"}) {
      FileStatus[] tables = fs.globStatus(new Path(root, args[0] + "*"));
      for (FileStatus table : tables == null ? new FileStatus[0] : tables) {
        RemoteIterator<LocatedFileStatus> all = fs.listFiles(table.getPath(), true);
        while (all.hasNext()) {
          Path path = all.next().getPath();
          // TABLE/REGION/FAMILY/FILE: a reference to a file of a split region has a dot in its name
          if (!path.getParent().getName().equals("l") || !path.getName().matches("[0-9a-z]+(_SeqId_[0-9]+_)?")) {
            continue;
          }
          try {
            cells += read(conf, fs, path);
          } catch (FileNotFoundException e) {
            continue; // compacted meanwhile
          }
          files++;
          if (path.getName().contains("_SeqId_")) {
            loaded++;
          }
        }
      }
    }
    System.out.println("files=" + files + " loaded=" + loaded + " cells=" + cells + " failures=" + HFile.getAndResetChecksumFailuresCount());
  }

  private static long read(Configuration conf, FileSystem fs, Path path) throws Exception {
    long cells = 0;
    try (HFile.Reader reader = HFile.createReader(fs, path, CacheConfig.DISABLED, true, conf)) {
      HFileScanner scanner = reader.getScanner(conf, false, false, false);
      for (boolean more = scanner.seekTo(); more; more = scanner.next()) {
        scanner.getCell();
        cells++;
      }
      if (cells != reader.getEntries()) {
        throw new Exception(path + ": " + cells + " cells, the trailer has " + reader.getEntries());
      }
    }
    return cells;
  }
}
