"""Parquet files as other tools write them: pyarrow's nested lists, types that JSON has not, two row groups, zstd.

    python parquet.py
"""
import datetime
import decimal

import pyarrow as pa
import pyarrow.parquet as pq

message = pa.struct([("role", pa.string()), ("content", pa.string())])
turns = pa.list_(message)


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


conversational = pa.table(
    {
        "prompt": pa.array([[user("Sky?")], [user("1?"), assistant("2"), user("3?")], [user("é 👋")]], turns),
        "chosen": pa.array([[assistant("Blue.")], [assistant("4")], [assistant("a")]], turns),
        "rejected": pa.array([[assistant("Green.")], [assistant("5")], [assistant("")]], turns),
        "score": pa.array([0.5, None, 1.0], pa.float64()),
        "id": pa.array([1, 2**40, None], pa.int64()),
        "small": pa.array([1, 2, 3], pa.int32()),
        "flag": pa.array([True, None, False]),
        "when": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5), None, None], pa.timestamp("ms")),
        "tags": pa.array([["a", "b"], [], None], pa.list_(pa.string())),
        "ids": pa.array([[1, 2], None, [3]], pa.list_(pa.int64())),
    }
)
pq.write_table(conversational, "trl-conversational.parquet", row_group_size=2, compression="zstd")

plain = pa.table(
    {
        "prompt": ["Where?", "Why?"],
        "draft": ["It were sent.", "Becaus."],
        "final": ["It was sent.", "Because."],
    }
)
pq.write_table(plain, "draft-final.parquet")

# Every kind of column that pyarrow writes and JSON has no value for.
moment = datetime.datetime(2025, 1, 1, 12, 30, 15, 123456)
kinds = {
    "draft": pa.array(["a b", "c d"]),
    "final": pa.array(["a c", "c e"]),
    "micros": pa.array([moment, None], pa.timestamp("us")),
    "nanos": pa.array([1735734615123456789, -1], pa.timestamp("ns")),
    "zoned": pa.array([moment, datetime.datetime(1815, 6, 18)], pa.timestamp("us", tz="Europe/Berlin")),
    "day": pa.array([datetime.date(1900, 1, 1), None]),
    "clock": pa.array([datetime.time(1, 2, 3, 456789), None], pa.time64("us")),
    "decimal": pa.array([decimal.Decimal("-123.45"), None], pa.decimal128(10, 2)),
    "long_decimal": pa.array([decimal.Decimal("12345678901234567890123.45"), None], pa.decimal128(38, 2)),
    "uint64": pa.array([2**64 - 1, None], pa.uint64()),
    "uint32": pa.array([2**32 - 1, None], pa.uint32()),
    "int8": pa.array([-3, None], pa.int8()),
    "int64": pa.array([-(2**63), 7], pa.int64()),
    "float": pa.array([float("inf"), float("nan")], pa.float32()),
    "bytes": pa.array([b"\xff\x00x", b"text"], pa.binary()),
    "fixed": pa.array([b"abcd", b"base"], pa.binary(4)),
    "map": pa.array([[("k", 1), ("l", None)], []], pa.map_(pa.string(), pa.int32())),
    "numbered": pa.array([[(1, moment)], None], pa.map_(pa.int32(), pa.timestamp("us"))),
    "lists": pa.array([[[{"a": 1, "b": None}], []], None], pa.list_(pa.list_(pa.struct([("a", pa.int32()), ("b", pa.string())])))),
}
pq.write_table(pa.table(kinds), "kinds.parquet", compression="zstd")
