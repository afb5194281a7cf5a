"""Opens a container with pyarrow, polars and duckdb; compares what they answer, and every checksum.

python other_readers.py FILE [OUTPUT_FOLDER]

With a folder, writes the file again there as pyarrow would: in other batches, filtered, compressed.
"""

import os
import struct
import sys

import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.feather
import pyarrow.ipc
import xxhash


def checksum(row):
    """The checksum of a row as SPEC.md has it."""
    def text(value):
        value = value.encode() if isinstance(value, str) else value
        return struct.pack("<Q", len(value)) + value

    data = text(row["tensor"]) + text(row["dtype"])
    data += struct.pack(f"<Q{len(row['shape'])}Q", len(row["shape"]), *row["shape"])
    data += struct.pack("<IQQQ", row["chunk"], row["row_start"], row["row_end"], row["values"])
    data += text(row["codec"])
    data += struct.pack("<IIIB", row["frames"], row["height"], row["width"], row["depth"])
    data += text(row["transform"]) + text(row["target"])
    data += struct.pack("<Qdddd", row["bytes"], row["bits"], row["nmse"], row["max_abs_error"], row["energy"])
    data += struct.pack("<QQQ", row["lost_zeros"], row["changed_signs"], row["flattened"])
    data += text(row["side"]) + text(row["payload"])
    return xxhash.xxh3_64_intdigest(data)


def bits_of(rows):
    return {name: bits for name, bits in rows if bits is not None and bits == bits}


path = sys.argv[1]
table = pyarrow.ipc.open_file(pyarrow.memory_map(path)).read_all()
table.validate(full=True)
whole = table  # `table` is a word of SQL
assert table.schema.metadata[b"telecine.version"] == b"1.0"
assert pyarrow.feather.read_table(path) == table

rows = table.to_pylist()
for row in rows:
    assert row["checksum"] == checksum(row), row
    assert row["bytes"] == len(row["side"]) + len(row["payload"]), row

sums = {}
for row in rows:
    total = sums.setdefault(row["tensor"], [0, 0])
    total[0] += row["bytes"]
    total[1] += row["values"]
expected = {name: total[0] * 8 / total[1] for name, total in sums.items() if total[1]}
assert len(expected) >= 3

grouped = table.group_by("tensor").aggregate([("bytes", "sum"), ("values", "sum")]).to_pylist()
grouped = [row for row in grouped if row["values_sum"]]
assert bits_of((row["tensor"], row["bytes_sum"] * 8 / row["values_sum"]) for row in grouped) == expected

for frame in [polars.read_ipc(path), polars.scan_ipc(path).collect()]:
    assert frame["payload"].to_list() == [row["payload"] for row in rows]
    assert frame["shape"].to_list() == [row["shape"] for row in rows]
    bits = frame.group_by("tensor").agg((polars.col("bytes").sum() * 8 / polars.col("values").sum()).alias("bits"))
    assert bits_of(bits.iter_rows()) == expected

query = "select tensor, sum(bytes) * 8 / nullif(sum(values), 0) from {} group by tensor"
assert bits_of(duckdb.sql(query.format("whole")).fetchall()) == expected
dataset = pyarrow.dataset.dataset(path, format="feather")
assert bits_of(duckdb.sql(query.format("dataset")).fetchall()) == expected

if len(sys.argv) > 2:
    def write(name, table, options=None, **batches):
        with pyarrow.ipc.new_file(os.path.join(sys.argv[2], name), table.schema, options=options) as writer:
            writer.write_table(table, **batches)

    write("v1.0-pyarrow-batches-of-5.arrow", table, max_chunksize=5)
    write("v1.0-pyarrow-filtered.arrow", table.filter(pyarrow.compute.starts_with(table["tensor"], "dtypes/")))
    write("v1.0-pyarrow-lz4.arrow", table, pyarrow.ipc.IpcWriteOptions(compression="lz4"))

print(f"{len(rows)} rows, {len(expected)} tensors with values: pyarrow {pyarrow.__version__}, "
      f"polars {polars.__version__}, duckdb {duckdb.__version__} agree")
