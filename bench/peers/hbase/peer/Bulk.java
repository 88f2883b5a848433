package peer;

import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptor;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.RegionLocator;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.io.hfile.CacheConfig;
import org.apache.hadoop.hbase.io.hfile.HFileContext;
import org.apache.hadoop.hbase.io.hfile.HFileContextBuilder;
import org.apache.hadoop.hbase.regionserver.BloomType;
import org.apache.hadoop.hbase.regionserver.HStoreFile;
import org.apache.hadoop.hbase.regionserver.StoreFileWriter;
import org.apache.hadoop.hbase.tool.BulkLoadHFiles;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Rows written by HBase's own writer of store files, a file a region as HFileOutputFormat2 does in its reducers, and loaded by HBase's
 * own tool. Only keys and positions are sorted, and the rows stay in the mapped file: the shuffle of a MapReduce job, which sorts
 * whole rows, would cost more.
 */
final class Bulk {
  private Bulk() {}

  static Count load(Connection connection, TableName name, RowFile rows) throws Exception {
    Configuration conf = connection.getConfiguration();
    Path dir = new Path("/tmp/bulk-" + UUID.randomUUID());
    FileSystem fs = dir.getFileSystem(conf);
    ColumnFamilyDescriptor family;
    byte[][] ends;
    try (Table table = connection.getTable(name); RegionLocator regions = connection.getRegionLocator(name)) {
      family = table.getDescriptor().getColumnFamily(rows.family());
      ends = regions.getEndKeys();
    }
    HFileContext context = new HFileContextBuilder().withCompression(family.getCompressionType()).withDataBlockEncoding(family.getDataBlockEncoding())
        .withBlockSize(family.getBlocksize()).withIncludesTags(false).withColumnFamily(rows.family()).withTableName(name.getName()).build();
    int region = 0;
    StoreFileWriter writer = null;
    for (int at : rows.sorted()) {
      Put put = rows.row(at);
      while (ends[region].length > 0 && Bytes.compareTo(put.getRow(), ends[region]) >= 0) {
        close(writer);
        writer = null;
        region++;
      }
      if (writer == null) {
        Path path = new Path(new Path(dir, family.getNameAsString()), UUID.randomUUID().toString().replace("-", ""));
        writer = new StoreFileWriter.Builder(conf, CacheConfig.DISABLED, fs).withFilePath(path).withFileContext(context).withBloomType(BloomType.NONE).build();
      }
      for (Cell cell : put.getFamilyCellMap().get(rows.family())) {
        writer.append(cell);
      }
    }
    close(writer);
    BulkLoadHFiles.create(conf).bulkLoad(name, dir);
    fs.delete(dir, true);
    return rows.count;
  }

  private static void close(StoreFileWriter writer) throws Exception {
    if (writer == null) {
      return;
    }
    writer.appendFileInfo(HStoreFile.BULKLOAD_TIME_KEY, Bytes.toBytes(System.currentTimeMillis()));
    writer.appendFileInfo(HStoreFile.MAJOR_COMPACTION_KEY, Bytes.toBytes(true));
    writer.appendFileInfo(HStoreFile.EXCLUDE_FROM_MINOR_COMPACTION_KEY, Bytes.toBytes(false));
    writer.appendTrackedTimestampsToMetadata();
    writer.close();
  }
}
