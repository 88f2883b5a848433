package peer;

import java.io.IOException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.AsyncBufferedMutator;
import org.apache.hadoop.hbase.client.AsyncConnection;
import org.apache.hadoop.hbase.client.BufferedMutator;
import org.apache.hadoop.hbase.client.BufferedMutatorParams;
import org.apache.hadoop.hbase.client.Connection;

/** Writing a file's rows; each returns when all are durable. */
final class Writes {
  private static final int BUFFER_BYTES = 4 << 20;
  /** Rows on their way at most: AsyncBufferedMutator has no bound of its own. */
  private static final int WINDOW_ROWS = 16 << 10;

  private Writes() {}

  static Count make(RowFile rows) throws IOException {
    rows.each(0, RowFile.PARTS, put -> put.size() > 0);
    return rows.count;
  }

  static Count buffered(Connection connection, TableName table, RowFile rows) throws IOException {
    BufferedMutatorParams params = new BufferedMutatorParams(table).writeBufferSize(BUFFER_BYTES);
    try (BufferedMutator mutator = connection.getBufferedMutator(params)) {
      rows.each(0, RowFile.PARTS, put -> {
        try {
          mutator.mutate(put);
          return true;
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      mutator.flush();
    }
    return rows.count;
  }

  static Count async(AsyncConnection connection, TableName table, RowFile rows) throws Exception {
    AtomicReference<Throwable> failed = new AtomicReference<>();
    Semaphore window = new Semaphore(WINDOW_ROWS);
    try (AsyncBufferedMutator mutator = connection.getBufferedMutatorBuilder(table).setWriteBufferSize(BUFFER_BYTES).build()) {
      Thread[] threads = new Thread[RowFile.PARTS];
      for (int part = 0; part < threads.length; part++) {
        int first = part;
        threads[part] = new Thread(() -> {
          try {
            put(mutator, rows, first, window, failed);
          } catch (Exception e) {
            failed.compareAndSet(null, e);
          }
        });
        threads[part].start();
      }
      for (Thread thread : threads) {
        thread.join();
      }
      mutator.flush();
      window.acquire(WINDOW_ROWS);
    }
    if (failed.get() != null) {
      throw new IOException(failed.get());
    }
    return rows.count;
  }

  private static void put(AsyncBufferedMutator mutator, RowFile rows, int part, Semaphore window, AtomicReference<Throwable> failed) throws IOException {
    rows.each(part, part + 1, put -> {
      window.acquireUninterruptibly();
      mutator.mutate(put).whenComplete((done, error) -> {
        if (error != null) {
          failed.compareAndSet(null, error);
        }
        window.release();
      });
      return failed.get() == null;
    });
  }
}
