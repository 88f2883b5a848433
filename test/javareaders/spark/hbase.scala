// Print the number of lines and the number of each status of a table in the layout typed.
//
//   ZOOKEEPER=zk1:2181 TABLE=web:accesslog spark-shell --jars JARS \
//     --conf spark.hadoopRDD.ignoreEmptySplits=false -i hbase.scala
import org.apache.hadoop.hbase.HBaseConfiguration
import org.apache.hadoop.hbase.client.Result
import org.apache.hadoop.hbase.io.ImmutableBytesWritable
import org.apache.hadoop.hbase.mapreduce.TableInputFormat
import org.apache.hadoop.hbase.util.Bytes

val conf = HBaseConfiguration.create()
conf.set("hbase.zookeeper.quorum", sys.env("ZOOKEEPER").split(":")(0))
conf.set("hbase.zookeeper.property.clientPort", sys.env("ZOOKEEPER").split(":")(1))
conf.set(TableInputFormat.INPUT_TABLE, sys.env("TABLE"))
conf.set(TableInputFormat.SCAN_ROW_STOP, "\\xFF") // the rows after it are those of logs

val rows = sc.newAPIHadoopRDD(conf, classOf[TableInputFormat], classOf[ImmutableBytesWritable], classOf[Result]).values
def status(row: Result) = Option(row.getValue(Bytes.toBytes("l"), Bytes.toBytes("status"))).map(b => Bytes.toLong(b))
val byStatus = rows.map(status).countByValue()

println("answer\t0\t" + byStatus.values.sum)
byStatus.foreach { case (s, n) => println(s"answer\t1\t${s.getOrElse("null")}\t$n") }
System.exit(0)
