"""Packs a file, opens the result with pyarrow, polars and duckdb, and asks each for the bits per value by tensor.

usage: interop.py TELECINE IN.safetensors
"""

import json
import math
import os
import subprocess
import sys
import tempfile

import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.ipc


def with_pyarrow(path):
    """One expression over a memory-mapped table."""
    table = pyarrow.ipc.open_file(pyarrow.memory_map(path)).read_all()
    sums = table.group_by("tensor").aggregate([("bytes", "sum"), ("values", "sum")])
    bits = pyarrow.compute.divide(
        pyarrow.compute.multiply(sums["bytes_sum"].cast("float64"), 8.0), sums["values_sum"].cast("float64")
    )
    return dict(zip(sums["tensor"].to_pylist(), bits.to_pylist()))


def with_polars(path):
    """One lazy query."""
    bits = (polars.col("bytes").sum() * 8.0 / polars.col("values").sum()).alias("bits")
    frame = polars.scan_ipc(path).group_by("tensor").agg(bits).collect()
    return dict(frame.iter_rows())


def with_duckdb(path):
    """One line of SQL, over pyarrow's view of the file."""
    chunks = pyarrow.ipc.open_file(pyarrow.memory_map(path)).read_all()
    query = "select tensor, sum(bytes) * 8.0 / sum(values) as bits from chunks group by tensor"
    return dict(duckdb.sql(query).fetchall())


def with_telecine(binary, path):
    report = json.loads(subprocess.check_output([binary, "inspect", "--json", path]))
    return {tensor["name"]: tensor["bits"] for tensor in report["tensors"]}


def main():
    binary, source = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "packed.arrow")
        subprocess.check_call([binary, "pack", source, "--bits", "3", "-o", path], stdout=subprocess.DEVNULL)
        wanted = with_telecine(binary, path)
        assert wanted, "nothing was packed"
        for name, read in [("pyarrow", with_pyarrow), ("polars", with_polars), ("duckdb", with_duckdb)]:
            found = read(path)
            assert found.keys() == wanted.keys(), f"{name}: other tensors: {found.keys() ^ wanted.keys()}"
            for tensor, bits in wanted.items():
                assert math.isclose(found[tensor], bits, rel_tol=1e-9), f"{name}: {tensor}: {found[tensor]}, not {bits}"
            print(f"{name}: bits per value of {len(found)} tensors, as telecine inspect has them")


main()
