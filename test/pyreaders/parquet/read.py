"""Print what a reader of Parquet files finds, as JSON.

usage: read.py READER rows FILE      one array a row, in the file's order of columns
       read.py READER tree DIRECTORY the answers of a few questions over all files
       read.py READER counts DIRECTORY...
                                     the counts that sluice scan is compared with: for each
                                     directory a list of answers, each a list of rows

READER is pyarrow, pandas, polars, duckdb or chdb. A time is printed as nanoseconds since
1970 and bytes that are no text as {"bytes": hex}. A value of any other type fails, so that
it cannot pass as something else.
"""
import json
import sys


def plain(value):
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).hex()}
    if value is None or isinstance(value, (str, int)) and not isinstance(value, bool):
        return value
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def pyarrow_rows(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    # The page checksums are verified, and the page index is read.
    table = pq.ParquetFile(path, page_checksum_verification=True).read()
    columns = []
    for field, column in zip(table.schema, table.columns):
        if pa.types.is_timestamp(field.type):
            assert field.type == pa.timestamp("ns", "UTC"), field
            column = column.cast(pa.int64())
        columns.append(column.to_pylist())
    return zip(*columns)


def pandas_rows(path):
    import pandas

    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    columns = []
    for name in frame.columns:
        column = frame[name]
        if "timestamp" in str(column.dtype):
            assert str(column.dtype) == "timestamp[ns, tz=UTC][pyarrow]", column.dtype
            column = column.astype("int64[pyarrow]")
        columns.append([None if value is pandas.NA else value for value in column])
    return zip(*columns)


def polars_rows(path):
    import polars

    frame = polars.read_parquet(path)
    for name, kind in frame.schema.items():
        if isinstance(kind, polars.Datetime):
            assert kind == polars.Datetime("ns", "UTC"), kind
            frame = frame.with_columns(polars.col(name).dt.epoch("ns"))
    return frame.iter_rows()


def duckdb_rows(path):
    import duckdb

    table = f"read_parquet('{path}', hive_partitioning=false)"
    names = duckdb.sql(f"from {table}")
    what = ", ".join(
        f'epoch_ns("{n}")' if "TIMESTAMP" in str(t) else f'"{n}"' for n, t in zip(names.columns, names.types)
    )
    return duckdb.sql(f"select {what} from {table}").fetchall()


def chdb_query(sql):
    import chdb

    text = str(chdb.query(sql, "JSONCompactEachRow"))
    return [json.loads(line) for line in text.splitlines()]


def chdb_rows(path):
    types = chdb_query(f"describe table file('{path}', Parquet) settings use_hive_partitioning=0")
    what, binary = [], set()
    for i, row in enumerate(types):
        name, kind = row[0], row[1]
        if "DateTime64(9" in kind:
            what.append(f"toUnixTimestamp64Nano({name})")
        elif name == "logbody":
            binary.add(i)
            what.append(f"hex({name})")
        else:
            what.append(name)
    sql = f"select {', '.join(what)} from file('{path}', Parquet) settings use_hive_partitioning=0, output_format_json_quote_64bit_integers=0"
    for row in chdb_query(sql):
        yield [bytes.fromhex(v) if i in binary and v is not None else v for i, v in enumerate(row)]


QUESTIONS = [
    "select count(*) from {t}",
    "select count(*) from {t} where status >= 500",
    "select count(*) from {t} where status is null",
    "select count(*) from {t} where path = '/'",
    "select count(*) from {t} where user = ''",
    "select count(*) from {t} where logbody is not null",
    "select count(distinct client) from {t}",
    "select sum(bytes), min(bytes), max(bytes), min(path), max(path) from {t}",
    "select count(*) from {t} where day = 20260902 and host = 'web2'",
    "select count(*) from {t} where label_site = 'shop'",
]


def quoted(question, table):
    return question.replace(" user ", ' "user" ').replace("{t}", table)


def duckdb_tree(directory):
    import duckdb

    table = f"read_parquet('{directory}/**/*.parquet', hive_partitioning=true, union_by_name=true)"
    return [list(duckdb.sql(quoted(q, table)).fetchall()[0]) for q in QUESTIONS]


def chdb_tree(directory):
    table = f"file('{directory}/**/*.parquet', Parquet)"
    settings = " settings use_hive_partitioning=1, schema_inference_mode='union', output_format_json_quote_64bit_integers=0"
    return [chdb_query(quoted(q, table) + settings)[0] for q in QUESTIONS]


def polars_tree(directory):
    import glob

    import polars

    # polars takes the columns of the first file unless it is told those of all.
    files = sorted(glob.glob(f"{directory}/**/*.parquet", recursive=True))
    schema = {}
    for file in files:
        schema.update(polars.read_parquet_schema(file))
    frame = polars.scan_parquet(
        files, schema=schema, missing_columns="insert", hive_partitioning=True, hive_schema={"day": polars.Int32, "host": polars.String}
    )
    context = polars.SQLContext(t=frame)
    return [list(context.execute(quoted(q, "t"), eager=True).row(0)) for q in QUESTIONS]


def pyarrow_tree(directory):
    import pyarrow as pa
    import pyarrow.dataset as ds

    part = ds.partitioning(pa.schema([("day", pa.int32()), ("host", pa.string())]), flavor="hive")
    data = ds.dataset(directory, format="parquet", partitioning=part)
    schema = pa.unify_schemas([f.physical_schema for f in data.get_fragments()] + [part.schema])
    data = data.replace_schema(schema)
    f = ds.field
    table = data.to_table()
    return [
        [data.count_rows()],
        [data.count_rows(filter=f("status") >= 500)],
        [data.count_rows(filter=f("status").is_null())],
        [data.count_rows(filter=f("path") == "/")],
        [data.count_rows(filter=f("user") == "")],
        [data.count_rows(filter=f("logbody").is_valid())],
        [len(set(table["client"].to_pylist()) - {None})],
        [
            pa.compute.sum(table["bytes"]).as_py(),
            pa.compute.min(table["bytes"]).as_py(),
            pa.compute.max(table["bytes"]).as_py(),
            pa.compute.min(table["path"]).as_py(),
            pa.compute.max(table["path"]).as_py(),
        ],
        [data.count_rows(filter=(f("day") == 20260902) & (f("host") == "web2"))],
        [data.count_rows(filter=f("label_site") == "shop")],
    ]


def pandas_tree(directory):
    import pandas

    # Without partitioning=None the host of the path and that of the file are two types.
    frame = pandas.read_parquet(directory, columns=["status", "host"], partitioning=None, dtype_backend="pyarrow")
    assert set(frame["host"]) == {"web1", "web2"}
    return [[len(frame)], [int((frame["status"] >= 500).sum())], [int(frame["status"].isna().sum())]]


# What is counted: ../../../cmd/sluice/readers_test.go asks sluice scan the same.
COUNTS = [
    "select count(*) from {t}",
    "select count(*) from {t} where status >= 500",
    "select status, count(*) from {t} group by status",
    "select count(*) from {t} where time is null",
    "select count(*) from {t} where parse_error is not null",
    "select count(*) from {t} where user is null",
    "select count(*) from {t} where user = ''",
    "select count(distinct client), count(distinct path), count(distinct agent) from {t}",
    "select sum(bytes), min(bytes), max(bytes) from {t}",
    "select day, count(*) from {t} where time is not null group by day",
]


def duckdb_counts(directory):
    import duckdb

    table = f"read_parquet('{directory}/**/*.parquet', hive_partitioning=true, union_by_name=true)"
    return [duckdb.sql(quoted(q, table)).fetchall() for q in COUNTS]


def chdb_counts(directory):
    table = f"file('{directory}/**/*.parquet', Parquet)"
    settings = " settings use_hive_partitioning=1, schema_inference_mode='union', output_format_json_quote_64bit_integers=0"
    return [chdb_query(quoted(q, table) + settings) for q in COUNTS]


def polars_counts(directory):
    import polars

    frame = polars.scan_parquet(
        f"{directory}/**/*.parquet", hive_partitioning=True, hive_schema={"day": polars.Int32, "host": polars.String}
    )
    context = polars.SQLContext(t=frame)
    return [context.execute(quoted(q, "t"), eager=True).rows() for q in COUNTS]


def counted(status, time, parse_error, user, client, path, agent, size, day):
    """The answers from columns that were read whole."""
    import collections

    known = [n for n in size if n is not None]
    return [
        [[len(status)]],
        [[sum(1 for n in status if n is not None and n >= 500)]],
        list(collections.Counter(status).items()),
        [[time.count(None)]],
        [[sum(1 for e in parse_error if e is not None)]],
        [[user.count(None)]],
        [[user.count("")]],
        [[len(set(column) - {None}) for column in (client, path, agent)]],
        [[sum(known), min(known), max(known)]],
        list(collections.Counter(d for d, t in zip(day, time) if t is not None).items()),
    ]


COUNTED = ["status", "time", "parse_error", "user", "client", "path", "agent", "bytes", "day"]


def pyarrow_counts(directory):
    import pyarrow as pa
    import pyarrow.dataset as ds

    part = ds.partitioning(pa.schema([("day", pa.int32()), ("host", pa.string())]), flavor="hive")
    table = ds.dataset(directory, format="parquet", partitioning=part).to_table(columns=COUNTED)
    return counted(*(c.cast(pa.int64()).to_pylist() if n == "time" else c.to_pylist() for n, c in zip(COUNTED, table.columns)))


def pandas_counts(directory):
    import glob
    import os

    import pandas

    frames = []
    for file in glob.glob(f"{directory}/**/*.parquet", recursive=True):
        frame = pandas.read_parquet(file, columns=COUNTED[:-1], partitioning=None, dtype_backend="pyarrow")
        frame["day"] = int(os.path.basename(os.path.dirname(os.path.dirname(file))).removeprefix("day="))
        frames.append(frame)
    frame = pandas.concat(frames)
    return counted(*([None if v is pandas.NA or v is pandas.NaT else v for v in frame[n]] for n in COUNTED))


def ordered(rows):
    return sorted(([plain(v) for v in row] for row in rows), key=lambda row: [(v is not None, v) for v in row])


reader, mode, path = sys.argv[1:4]
if mode == "rows":
    for row in globals()[reader + "_rows"](path):
        print(json.dumps([plain(value) for value in row]))
elif mode == "counts":
    for directory in sys.argv[3:]:
        print(json.dumps([ordered(rows) for rows in globals()[reader + "_counts"](directory)]))
else:
    for answer in globals()[reader + "_tree"](path):
        print(json.dumps([plain(value) for value in answer]))
