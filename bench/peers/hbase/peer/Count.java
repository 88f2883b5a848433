package peer;

/** What was written or read: bytes are those of the values. */
final class Count {
  long rows, cells, bytes;

  void add(Count o) {
    rows += o.rows;
    cells += o.cells;
    bytes += o.bytes;
  }
}
