import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Counts the lines of a table with HBase's Java client: java Lines TABLE LAYOUT FROM TO, the time range in nanoseconds since
 * 1970. Each line of output is a question's number and values, with tabs between.
 */
public final class Lines {
  private static final int SALTS = 8;
  private final Table table;
  private final String layout;
  private final byte[] family;
  private final Map<Long, GenericDatumReader<GenericRecord>> readers = new HashMap<>(); // of packed records, by fingerprint

  private Lines(Table table, String layout) throws Exception {
    this.table = table;
    this.layout = layout;
    this.family = Bytes.toBytes(layout.equals("flume") ? "prop" : "l");
    if (layout.equals("packed")) {
      try (ResultScanner streams = table.getScanner(new Scan().withStartRow(endOfLines()))) {
        for (Result stream : streams) {
          byte[] schema = stream.getValue(family, Bytes.toBytes("schema"));
          if (schema != null) {
            Schema parsed = new Schema.Parser().parse(Bytes.toString(schema));
            readers.put(SchemaNormalization.parsingFingerprint64(parsed), new GenericDatumReader<>(parsed));
          }
        }
      }
    }
  }

  /** The key after those of all lines. The rows from here on are those of logs. */
  private byte[] endOfLines() {
    return layout.equals("flume") ? Bytes.toBytes(":") : new byte[] {(byte) 0xff};
  }

  private interface Use {
    void line(byte[] key, Map<String, Object> fields);
  }

  /** Passes the lines of a range of keys on: their fields are Long, String or byte[], or missing if they are null. */
  private void scan(byte[] from, byte[] to, Use use) throws Exception {
    try (ResultScanner rows = table.getScanner(new Scan().withStartRow(from).withStopRow(to))) {
      for (Result row : rows) {
        use.line(row.getRow(), layout.equals("packed") ? record(row) : cells(row));
      }
    }
  }

  private Map<String, Object> cells(Result row) {
    Map<String, Object> fields = new TreeMap<>();
    for (Map.Entry<byte[], byte[]> cell : row.getFamilyMap(family).entrySet()) {
      String name = Bytes.toString(cell.getKey());
      byte[] value = cell.getValue();
      if (name.equals("logbody")) {
        fields.put(name, value);
      } else if (layout.equals("flume")) {
        boolean number = name.equals("status") || name.equals("size");
        fields.put(name.equals("size") ? "bytes" : name, number ? (Object) Long.valueOf(Bytes.toString(value)) : Bytes.toString(value));
      } else {
        boolean number = name.equals("status") || name.equals("bytes") || name.equals("time");
        fields.put(name, number ? (Object) Bytes.toLong(value) : Bytes.toString(value));
      }
    }
    return fields;
  }

  private Map<String, Object> record(Result row) throws Exception {
    // C3 01, the schema's fingerprint, little-endian, and the record in Avro's binary encoding.
    byte[] cell = row.getValue(family, Bytes.toBytes("record"));
    long fingerprint = ByteBuffer.wrap(cell, 2, 8).order(ByteOrder.LITTLE_ENDIAN).getLong();
    GenericRecord record = readers.get(fingerprint).read(null, DecoderFactory.get().binaryDecoder(cell, 10, cell.length - 10, null));
    Map<String, Object> fields = new TreeMap<>();
    for (Schema.Field field : record.getSchema().getFields()) {
      Object value = record.get(field.pos());
      if (value instanceof ByteBuffer) {
        fields.put(field.name(), Bytes.toBytes((ByteBuffer) value));
      } else if (value != null) {
        fields.put(field.name(), value instanceof Long ? value : value.toString());
      }
    }
    return fields;
  }

  /** The time of a line in nanoseconds since 1970; 0: it has no readable time. */
  private long time(byte[] key) {
    return layout.equals("flume") ? Long.parseLong(Bytes.toString(key, 0, 19)) : Bytes.toLong(key, 1);
  }

  /** Counts the lines of a range of time, of which only the rows are read: a range of keys, for each salt. */
  private long between(long from, long to) throws Exception {
    long[] n = {0};
    for (int salt = 0; salt < (layout.equals("flume") ? 1 : SALTS); salt++) {
      scan(key(salt, from), key(salt, to), (key, fields) -> n[0]++);
    }
    return n[0];
  }

  private byte[] key(int salt, long time) {
    return layout.equals("flume") ? Bytes.toBytes(String.format("%019d", time)) : Bytes.add(new byte[] {(byte) salt}, Bytes.toBytes(time));
  }

  private final Map<String, Long> statuses = new TreeMap<>();
  private final Map<String, Long> hosts = new TreeMap<>();
  private long lines, bytes, userNull, userEmpty, blank, undated, errors;
  private String notUTF8;

  private void count(byte[] key, Map<String, Object> fields) {
    lines++;
    statuses.merge(String.valueOf(fields.get("status")), 1L, Long::sum);
    hosts.merge(String.valueOf(fields.get("host")), 1L, Long::sum);
    Object size = fields.get("bytes");
    bytes += size instanceof Long && (Long) size >= 0 ? (Long) size : 0;
    userNull += fields.get("user") == null ? 1 : 0;
    userEmpty += "".equals(fields.get("user")) ? 1 : 0;
    byte[] line = (byte[]) fields.get("logbody");
    blank += line.length == 0 ? 1 : 0;
    undated += time(key) == 0 ? 1 : 0;
    errors += fields.containsKey("parse_error") ? 1 : 0;
    if (Long.valueOf(7).equals(fields.get("status"))) {
      notUTF8 = HexFormat.of().formatHex(line);
    }
  }

  public static void main(String[] args) throws Exception {
    try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
        Table table = connection.getTable(TableName.valueOf(args[0]))) {
      Lines l = new Lines(table, args[1]);
      l.scan(new byte[0], l.endOfLines(), l::count);
      print(0, l.lines);
      l.statuses.forEach((status, n) -> print(1, status, n));
      print(2, l.between(Long.parseLong(args[2]), Long.parseLong(args[3])));
      l.hosts.forEach((host, n) -> print(3, host, n));
      print(4, l.bytes);
      print(5, l.userNull);
      print(6, l.userEmpty);
      print(7, l.userNull + l.userEmpty);
      print(8, l.blank);
      print(9, l.undated);
      print(10, l.errors);
      print(11, l.notUTF8);
    }
    System.exit(0); // the client's threads would keep the process running
  }

  private static void print(int question, Object... values) {
    StringBuilder line = new StringBuilder().append(question);
    for (Object value : values) {
      line.append('\t').append(value);
    }
    System.out.println(line);
  }
}
