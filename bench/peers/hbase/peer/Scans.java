package peer;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.RegionLocator;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hadoop.hbase.util.Pair;

/** Reading whole tables, every cell looked at. */
final class Scans {
  private Scans() {}

  private static Scan all(byte[] start, byte[] stop) {
    Scan scan = new Scan().setCacheBlocks(true);
    if (start != null) {
      scan.withStartRow(start);
    }
    return stop == null ? scan : scan.withStopRow(stop);
  }

  static Count one(Connection connection, TableName name, byte[] start, byte[] stop) throws IOException {
    Count count = new Count();
    try (Table table = connection.getTable(name); ResultScanner scanner = table.getScanner(all(start, stop))) {
      for (Result row : scanner) {
        count.rows++;
        for (Cell cell : row.rawCells()) {
          count.cells++;
          count.bytes += cell.getValueLength();
        }
      }
    }
    return count;
  }

  /** A thread for each region. */
  static Count each(Connection connection, TableName name) throws Exception {
    List<Callable<Count>> scans = new ArrayList<>();
    try (RegionLocator locator = connection.getRegionLocator(name)) {
      Pair<byte[][], byte[][]> keys = locator.getStartEndKeys();
      for (int i = 0; i < keys.getFirst().length; i++) {
        byte[] start = keys.getFirst()[i];
        byte[] stop = keys.getSecond()[i];
        scans.add(() -> one(connection, name, start, stop));
      }
    }
    ExecutorService threads = Executors.newFixedThreadPool(scans.size());
    try {
      Count count = new Count();
      for (Future<Count> part : threads.invokeAll(scans)) {
        count.add(part.get());
      }
      return count;
    } finally {
      threads.shutdown();
    }
  }

  /**
   * A line a row: the key in hexadecimal, then for each cell a tab, family:qualifier, its timestamp, its value in hexadecimal,
   * and what Bytes.toLong makes of it if it has eight bytes, with spaces between.
   */
  static Count print(Connection connection, TableName name) throws IOException {
    Count count = new Count();
    StringBuilder line = new StringBuilder();
    try (Table table = connection.getTable(name); ResultScanner scanner = table.getScanner(all(null, null))) {
      for (Result row : scanner) {
        line.setLength(0);
        line.append(Bytes.toHex(row.getRow()));
        for (Cell cell : row.rawCells()) {
          byte[] value = CellUtil.cloneValue(cell);
          line.append('\t').append(Bytes.toString(CellUtil.cloneFamily(cell))).append(':').append(Bytes.toString(CellUtil.cloneQualifier(cell)))
              .append(' ').append(cell.getTimestamp()).append(' ').append(Bytes.toHex(value));
          if (value.length == Bytes.SIZEOF_LONG) {
            line.append(' ').append(Bytes.toLong(value));
          }
          count.cells++;
          count.bytes += value.length;
        }
        System.out.println(line);
        count.rows++;
      }
    }
    return count;
  }
}
