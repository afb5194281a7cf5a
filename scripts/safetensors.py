"""Reads and writes safetensors files with nothing but Python's own library."""

import json
import struct

SIZES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}


def read(path):
    """Returns {name: (dtype, shape, bytes)} in the order of the data."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    return {
        name: (info["dtype"], info["shape"], data[slice(*info["data_offsets"])])
        for name, info in entries
    }


def header(entries):
    """The length and header for [(name, dtype, shape)] whose data follow in this order."""
    table, start = {}, 0
    for name, dtype, shape in entries:
        size = SIZES[dtype]
        for dimension in shape:
            size *= dimension
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write(path, tensors):
    """Writes {name: (dtype, shape, bytes)}."""
    with open(path, "wb") as file:
        file.write(header([(name, dtype, shape) for name, (dtype, shape, _) in tensors.items()]))
        for _, _, data in tensors.values():
            file.write(data)
