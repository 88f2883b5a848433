import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.hbase.Cell;
import org.apache.hadoop.hbase.CellUtil;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.spark.api.python.Converter;

/**
 * Converts a row of HBase for PySpark, which cannot read HBase's own classes: to a list of its key and then, for each cell,
 * its qualifier and its value.
 */
public final class HBaseRow implements Converter<Object, Object> {
  @Override
  public Object convert(Object row) {
    if (!(row instanceof Result)) {
      return null; // the key of the pair, which is in the row, too
    }
    Result result = (Result) row;
    List<Object> list = new ArrayList<>();
    list.add(result.getRow());
    for (Cell cell : result.rawCells()) {
      list.add(Bytes.toString(CellUtil.cloneQualifier(cell)));
      list.add(CellUtil.cloneValue(cell));
    }
    return list;
  }
}
