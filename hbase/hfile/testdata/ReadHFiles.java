import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellComparator;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.KeyValueUtil;
import org.apache.hadoop.hbase.fs.HFileSystem;
import org.apache.hadoop.hbase.io.compress.Compression;
import org.apache.hadoop.hbase.io.hfile.CacheConfig;
import org.apache.hadoop.hbase.io.hfile.HFile;
import org.apache.hadoop.hbase.io.hfile.HFileScanner;

// ReadHFiles prints a line for each file that it reads: its path, the number of cells, of levels of
// the index, of checksums that failed, a hash of the cells, the middle row, compression and encoding.
// It reads all cells in order and seeks some of them.
class ReadHFiles {
  private static final int SEEKS = 500;

  public static void main(String[] paths) throws Exception {
    Configuration conf = HBaseConfiguration.create();
    conf.set("fs.defaultFS", "file:///");
    conf.set("hbase.io.compress.zstd.codec", "org.apache.hadoop.hbase.io.compress.zstd.ZstdCodec");
    Compression.Algorithm.ZSTD.reload(conf);
    FileSystem fs = new HFileSystem(conf, true);
    for (String path : paths) {
      System.out.println(path + "\t" + read(conf, fs, new Path(path)));
    }
  }

  private static String read(Configuration conf, FileSystem fs, Path path) throws Exception {
    // Only a warning is logged for a checksum that is wrong, and the file system is asked again.
    HFile.getAndResetChecksumFailuresCount();
    try (HFile.Reader reader = HFile.createReader(fs, path, CacheConfig.DISABLED, true, conf)) {
      MessageDigest hash = MessageDigest.getInstance("SHA-256");
      CellComparator order = reader.getComparator();
      HFileScanner scanner = reader.getScanner(conf, false, false, false);
      List<Cell> some = new ArrayList<>();
      long entries = reader.getEntries(), step = Math.max(1, entries / SEEKS), cells = 0;
      Cell last = null;
      for (boolean more = scanner.seekTo(); more; more = scanner.next()) {
        Cell cell = scanner.getCell();
        if (last != null && order.compare(last, cell) >= 0) {
          throw new IOException(path + ": " + cell + " behind " + last);
        }
        update(hash, cell);
        if (cells++ % step == 0) {
          some.add(KeyValueUtil.copyToNewKeyValue(cell));
        }
        last = KeyValueUtil.copyToNewKeyValue(cell);
      }
      if (cells != entries) {
        throw new IOException(path + ": " + cells + " cells, the trailer has " + entries);
      }
      for (Cell cell : some) {
        if (scanner.seekTo(cell) != 0 || !CellUtil.equals(cell, scanner.getCell()) || !CellUtil.matchingValue(cell, scanner.getCell())) {
          throw new IOException(path + ": " + cell + " was not found");
        }
      }
      Optional<?> first = reader.getFirstRowKey(), end = reader.getLastRowKey();
      if (first.isPresent() != cells > 0 || end.isPresent() != cells > 0
          || cells > 0 && !CellUtil.matchingRows(last, (byte[]) end.get())) {
        throw new IOException(path + ": first row " + first + ", last row " + end);
      }
      String middle = cells == 0 ? "-" : HexFormat.of().formatHex(CellUtil.cloneRow(reader.midKey().get()));
      return String.join("\t", "" + cells, "" + reader.getTrailer().getNumDataIndexLevels(), "" + HFile.getAndResetChecksumFailuresCount(),
          HexFormat.of().formatHex(hash.digest()), middle, reader.getTrailer().getCompressionCodec().toString(),
          reader.getDataBlockEncoding().toString());
    }
  }

  // update adds each part of a cell behind its length.
  private static void update(MessageDigest hash, Cell c) {
    part(hash, CellUtil.cloneRow(c));
    part(hash, CellUtil.cloneFamily(c));
    part(hash, CellUtil.cloneQualifier(c));
    part(hash, (c.getTimestamp() + " " + c.getType()).getBytes(StandardCharsets.UTF_8));
    part(hash, CellUtil.cloneValue(c));
  }

  private static void part(MessageDigest hash, byte[] b) {
    hash.update((b.length + " ").getBytes(StandardCharsets.UTF_8));
    hash.update(b);
  }
}
