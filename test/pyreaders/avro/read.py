"""Print the records of an Avro container file as fastavro or polars reads them.

usage: read.py fastavro|polars FILE

One JSON object a line. Bytes become {"bytes": hex}, a time the microseconds since
1970. Any other type fails, so that a value cannot pass as something else.
"""
import datetime
import json
import sys

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if value is None or isinstance(value, (str, int)) and not isinstance(value, bool):
        return value
    raise TypeError(f"{value!r} is a {type(value).__name__}")


def records(reader, path):
    if reader == "fastavro":
        import fastavro

        with open(path, "rb") as f:
            yield from fastavro.reader(f)
    else:
        import polars

        yield from polars.read_avro(path).iter_rows(named=True)


for record in records(*sys.argv[1:]):
    print(json.dumps({name: plain(value) for name, value in record.items()}))
