"""Parquet files as other tools write them: pyarrow's nested lists, types that JSON has not, two row groups, zstd.

    python parquet.py
"""
import datetime
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
