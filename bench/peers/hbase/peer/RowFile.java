package peer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Function;
import org.apache.hadoop.hbase.HConstants;
import org.apache.hadoop.hbase.client.Put;

/**
 * A file of rows in memory, all integers big-endian: u8 length and family, u16 number of qualifiers, each u8
 * length and bytes; then rows: u16 length and key, u64 timestamp, u16 number of cells, each u16 qualifier,
 * u32 length and value.
 */
final class RowFile {
  final Count count = new Count();
  private final ByteBuffer file;
  private final byte[] family;
  private final byte[][] qualifiers;
  private final int[] starts = new int[PARTS + 1];

  /** Threads that write at a time. */
  static final int PARTS = 4;

  RowFile(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path)) {
      file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
    }
    family = bytes(file, file.get() & 0xff);
    qualifiers = new byte[file.getShort() & 0xffff][];
    for (int i = 0; i < qualifiers.length; i++) {
      qualifiers[i] = bytes(file, file.get() & 0xff);
    }
    starts[0] = file.position();
    int next = 1;
    while (file.hasRemaining()) {
      if (file.position() - starts[0] >= (long) (file.limit() - starts[0]) * next / PARTS) {
        starts[next++] = file.position();
      }
      skipRow();
    }
    for (; next <= PARTS; next++) {
      starts[next] = file.limit();
    }
  }

  private void skipRow() {
    file.position(file.position() + (file.getShort(file.position()) & 0xffff) + 2 + 8);
    int cells = file.getShort() & 0xffff;
    for (int i = 0; i < cells; i++) {
      int length = file.getInt(file.position() + 2);
      file.position(file.position() + 6 + length);
      count.bytes += length;
    }
    count.cells += cells;
    count.rows++;
  }

  /** The Puts of parts [first, end), one after the other, as long as use says to go on. */
  void each(int first, int end, Function<Put, Boolean> use) throws IOException {
    ByteBuffer b = file.duplicate();
    b.position(starts[first]).limit(starts[end]);
    while (b.hasRemaining()) {
      Put put = new Put(bytes(b, b.getShort() & 0xffff));
      long timestamp = b.getLong();
      for (int cells = b.getShort() & 0xffff; cells > 0; cells--) {
        byte[] qualifier = qualifiers[b.getShort() & 0xffff];
        put.addImmutable(family, qualifier, timestamp, bytes(b, b.getInt())); // addColumn would copy once more
      }
      if (!use.apply(put)) {
        return;
      }
    }
  }

  /** Where the rows begin, in the order of their keys. */
  int[] sorted() {
    Key[] keys = new Key[(int) count.rows];
    ByteBuffer b = file.duplicate();
    b.position(starts[0]);
    for (int i = 0; i < keys.length; i++) {
      int at = b.position();
      byte[] key = new byte[file.getShort(at) & 0xffff];
      file.get(at + 2, key);
      keys[i] = new Key(key, at);
      skip(b);
    }
    Arrays.sort(keys, (x, y) -> Arrays.compareUnsigned(x.bytes, y.bytes));
    return Arrays.stream(keys).mapToInt(k -> k.at).toArray();
  }

  private record Key(byte[] bytes, int at) {}

  private static void skip(ByteBuffer b) {
    b.position(b.position() + (b.getShort(b.position()) & 0xffff) + 2 + 8);
    for (int cells = b.getShort() & 0xffff; cells > 0; cells--) {
      b.position(b.position() + 6 + b.getInt(b.position() + 2));
    }
  }

  /** The row that begins at a position. */
  Put row(int at) {
    ByteBuffer b = file.duplicate().position(at);
    Put put = new Put(bytes(b, b.getShort() & 0xffff));
    long timestamp = b.getLong();
    if (timestamp == HConstants.LATEST_TIMESTAMP) { // a server replaces it in a Put, and not in a file
      timestamp = System.currentTimeMillis();
    }
    for (int cells = b.getShort() & 0xffff; cells > 0; cells--) {
      byte[] qualifier = qualifiers[b.getShort() & 0xffff];
      put.addImmutable(family, qualifier, timestamp, bytes(b, b.getInt()));
    }
    return put;
  }

  byte[] family() {
    return family;
  }

  private static byte[] bytes(ByteBuffer b, int n) {
    byte[] bytes = new byte[n];
    b.get(bytes);
    return bytes;
  }
}
