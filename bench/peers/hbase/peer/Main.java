package peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.CompactionState;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.RegionInfo;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;

/**
 * HBase's own Java client, to be measured and to be asked what is in a table. It does what the lines on its
 * standard input say, or, without input, its arguments, and answers each with a JSON object on a line:
 *
 *   rows FILE                 map a file of rows, and look once at each
 *   make                      make the Puts of all rows, and send nothing
 *   write buffered|async|bulk T  write all rows into a table
 *   scan one|each T           read a table, by one scanner or by one a salt, in a thread each
 *   print T                   print every row, see Scans.print
 *   flush T                   write the table's memory to files
 *   compact T                 merge each region's files into one (a major compaction), and wait until that is done
 */
public final class Main {
  private static final long COMPACTION_MILLIS = 600_000;

  private final Connection connection;
  private final AsyncConnection async;
  private RowFile rows;

  private Main() throws Exception {
    Configuration conf = HBaseConfiguration.create();
    connection = ConnectionFactory.createConnection(conf);
    async = ConnectionFactory.createAsyncConnection(conf).get();
    try (Admin admin = connection.getAdmin()) {
      admin.balancerSwitch(false, true); // it would move regions of a table while they are measured
    }
  }

  public static void main(String[] args) throws Exception {
    Main main = new Main();
    if (args.length > 0) {
      System.out.println(main.answer(args));
      System.exit(0);
    }
    System.out.printf("{\"pid\": %d}%n", ProcessHandle.current().pid());
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null;) {
      System.out.println(main.answer(line.split("\t")));
    }
    System.exit(0); // the clients' threads would live on
  }

  private String answer(String[] words) {
    try {
      long began = System.nanoTime();
      Count count = act(words);
      return String.format("{\"rows\": %d, \"cells\": %d, \"bytes\": %d, \"nanos\": %d}",
          count.rows, count.cells, count.bytes, System.nanoTime() - began);
    } catch (Exception e) {
      return "{\"err\": \"" + e.toString().replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\"}";
    }
  }

  private Count act(String[] words) throws Exception {
    switch (words[0]) {
      case "rows":
        rows = new RowFile(Path.of(words[1]));
        return rows.count;
      case "make":
        return Writes.make(rows);
      case "write":
        TableName to = TableName.valueOf(words[2]);
        if (words[1].equals("bulk")) {
          return Bulk.load(connection, to, rows);
        }
        return words[1].equals("async") ? Writes.async(async, to, rows) : Writes.buffered(connection, to, rows);
      case "scan":
        TableName from = TableName.valueOf(words[2]);
        return words[1].equals("each") ? Scans.each(connection, from) : Scans.one(connection, from, null, null);
      case "print":
        return Scans.print(connection, TableName.valueOf(words[1]));
      case "flush":
        flush(TableName.valueOf(words[1]));
        return new Count();
      case "compact":
        compact(TableName.valueOf(words[1]));
        return new Count();
      default:
        throw new IllegalArgumentException("no command: " + words[0]);
    }
  }

  /** Asks each region's server: the master's procedure for a table was seen to wait for ever for a region that was flushing already. */
  private void flush(TableName table) throws IOException {
    try (Admin admin = connection.getAdmin()) {
      for (RegionInfo region : admin.getRegions(table)) {
        admin.flushRegion(region.getRegionName());
      }
    }
  }
  /** Waits for the time of each region's last major compaction, which is also there if it was over before the first question. */
  private void compact(TableName table) throws Exception {
    long began = System.currentTimeMillis();
    try (Admin admin = connection.getAdmin()) {
      for (RegionInfo region : admin.getRegions(table)) {
        admin.majorCompactRegion(region.getRegionName());
      }
      for (RegionInfo region : admin.getRegions(table)) {
        byte[] name = region.getRegionName();
        if (empty(table, region)) {
          continue; // it has no files, and never has such a time
        }
        while (admin.getCompactionStateForRegion(name) != CompactionState.NONE || admin.getLastMajorCompactionTimestampForRegion(name) < began) {
          if (System.currentTimeMillis() - began > COMPACTION_MILLIS) {
            throw new IOException("the major compaction of " + region.getRegionNameAsString() + " does not end");
          }
          Thread.sleep(100);
        }
      }
    }
  }

  private boolean empty(TableName name, RegionInfo region) throws IOException {
    Scan scan = new Scan().withStartRow(region.getStartKey()).withStopRow(region.getEndKey()).setLimit(1);
    try (Table table = connection.getTable(name); ResultScanner rows = table.getScanner(scan)) {
      return rows.next() == null;
    }
  }
}
