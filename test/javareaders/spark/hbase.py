"""Print the answers that sluice scan is compared with, as PySpark finds them in a table in HBase.

usage: hbase.py JARS ZOOKEEPER TABLE LAYOUT FROM TO

JARS are HBase's, and HBaseRow, with commas between; the time range is in nanoseconds since 1970.
Each line of output that begins with "answer" has a question's number and values, with tabs between;
others are log messages of Spark.
"""
import io
import sys

from pyspark.sql import Row, SparkSession

jars, zookeeper, table, layout, begin, end = sys.argv[1:]
quorum, port = zookeeper.split(":")

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jars)
    .config("spark.ui.enabled", "false")
    # HBase reports the size of a region in megabytes: without this Spark reads no row of a smaller one.
    .config("spark.hadoopRDD.ignoreEmptySplits", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
FAMILY = "prop" if layout == "flume" else "l"


def rows(start, stop):
    """The rows from start to stop, as [key, {qualifier: value}]; \\xhh is a byte."""
    conf = {
        "hbase.zookeeper.quorum": quorum,
        "hbase.zookeeper.property.clientPort": port,
        "hbase.mapreduce.inputtable": table,
        "hbase.mapreduce.scan.row.start": start,
    }
    if stop:
        conf["hbase.mapreduce.scan.row.stop"] = stop
    rdd = spark.sparkContext.newAPIHadoopRDD(
        "org.apache.hadoop.hbase.mapreduce.TableInputFormat",
        "org.apache.hadoop.hbase.io.ImmutableBytesWritable",
        "org.apache.hadoop.hbase.client.Result",
        keyConverter="HBaseRow",
        valueConverter="HBaseRow",
        conf=conf,
    )
    return rdd.values().map(lambda l: [bytes(l[0]), {l[i]: bytes(l[i + 1]) for i in range(1, len(l), 2)}])


def number(value):
    return None if value is None else int.from_bytes(value, "big", signed=True)


def text(value):
    return None if value is None else value.decode("utf-8", "replace")


def typed(row):
    key, cell = row
    return Row(
        event_ns=number(key[1:9]), host=text(cell.get("host")), user=text(cell.get("user")), status=number(cell.get("status")),
        bytes=number(cell.get("bytes")), parse_error=text(cell.get("parse_error")), logbody=cell["logbody"],
    )  # fmt: skip


def flume(row):
    key, cell = row
    decimal = lambda value: None if value is None else int(value)  # noqa: E731
    return Row(
        event_ns=int(key[:19]), host=text(cell.get("host")), user=text(cell.get("user")), status=decimal(cell.get("status")),
        bytes=decimal(cell.get("size")), parse_error=text(cell.get("parse_error")), logbody=cell["logbody"],
    )  # fmt: skip


def packed(schemas):
    def decode(row):
        import fastavro

        key, cell = row
        record = cell["record"]  # C3 01, fingerprint, Avro's binary encoding
        r = fastavro.schemaless_reader(io.BytesIO(record[10:]), fastavro.parse_schema(schemas[record[2:10]]))
        return Row(
            event_ns=number(key[1:9]), host=r["host"], user=r["user"], status=r["status"],
            bytes=r["bytes"], parse_error=r["parse_error"], logbody=r["logbody"],
        )  # fmt: skip

    return decode


def schemas_of_streams():
    """The schemas of the records by their fingerprint, as the rows of the logs have them."""
    import json

    import fastavro

    schemas = {}
    for _, cell in rows("\\xFF", None).collect():
        if "schema" in cell:
            schema = json.loads(cell["schema"])
            canonical = fastavro.schema.to_parsing_canonical_form(schema)
            hexadecimal = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
            schemas[bytes.fromhex(hexadecimal)] = schema
    return schemas


decode = {"typed": typed, "flume": flume}.get(layout) or packed(schemas_of_streams())
first, last = "", ":" if layout == "flume" else "\\xFF"  # the rows after it are those of logs
schema = "event_ns long, host string, user string, status long, bytes long, parse_error string, logbody binary"
spark.createDataFrame(rows(first, last).map(decode), schema).cache().createOrReplaceTempView("t")

QUESTIONS = [
    "count(*) from t",
    "status, count(*) from t group by status",
    f"count(*) from t where event_ns >= {begin} and event_ns < {end}",
    "host, count(*) from t group by host",
    "sum(bytes) from t where bytes >= 0",
    "count(*) from t where user is null",
    "count(*) from t where user = ''",
    "count(*) from t where user is null or user = ''",
    "count(*) from t where length(logbody) = 0",
    "count(*) from t where event_ns = 0",
    "count(*) from t where parse_error is not null",
    "lower(hex(logbody)) from t where status = 7",
]
for i, question in enumerate(QUESTIONS):
    for row in spark.sql("select " + question).collect():
        print("answer", i, *("null" if v is None else v for v in row), sep="\t")
