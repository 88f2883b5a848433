"""Print the counts that sluice scan is compared with, as PySpark finds them, as JSON.

usage: read.py DIRECTORY...    for each directory a list of answers, each a list of rows

The questions are those of ../parquet/read.py.
"""
import json
import sys

from pyspark.sql import SparkSession

COUNTS = [
    "select count(*) from t",
    "select count(*) from t where status >= 500",
    "select status, count(*) from t group by status",
    "select count(*) from t where time is null",
    "select count(*) from t where parse_error is not null",
    "select count(*) from t where `user` is null",
    "select count(*) from t where `user` = ''",
    "select count(distinct client), count(distinct path), count(distinct agent) from t",
    "select sum(bytes), min(bytes), max(bytes) from t",
    "select day, count(*) from t where time is not null group by day",
]

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.legacy.parquet.nanosAsLong", "true")
    .config("spark.sql.shuffle.partitions", "2")
    .getOrCreate()
)
for directory in sys.argv[1:]:
    spark.read.option("mergeSchema", "true").parquet(directory).createOrReplaceTempView("t")
    answers = []
    for question in COUNTS:
        rows = [list(row) for row in spark.sql(question).collect()]
        answers.append(sorted(rows, key=lambda row: [(v is not None, v) for v in row]))
    print(json.dumps(answers))
