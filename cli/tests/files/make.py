#!/usr/bin/env python3
"""Writes files as NumPy and safetensors write them, every tensor counting 0, 1, 2, ... in row-major order.

They stay as they are once committed, so that today's reader is tested on what other versions wrote: new ones are
added, and existing ones not written again. Needs the packages numpy and safetensors.
"""

import pathlib

import numpy
import safetensors.numpy

FOLDER = pathlib.Path(__file__).resolve().parent


def count(dtype, *shape):
    """A tensor that counts; a bool one alternates."""
    numbers = numpy.arange(int(numpy.prod(shape)))
    return (numbers % 2 if dtype == "bool" else numbers).astype(dtype).reshape(shape)


def npy(array, version):
    return lambda path: numpy.lib.format.write_array(path.open("wb"), array, version=version)


MODEL = {"a.weight": count("float32", 5, 7), "a.bias": count("float16", 5), "ids": count("int64", 2, 3), "mask": count("bool", 9)}
FILES = {
    "version-1-float32.npy": npy(count("float32", 4, 6), (1, 0)),
    "version-2-float64.npy": npy(count("float64", 3, 2, 2), (2, 0)),
    "version-3-int16.npy": npy(count("int16", 10), (3, 0)),
    "column-major-uint16.npy": npy(numpy.asfortranarray(count("uint16", 3, 4)), (1, 0)),
    "scalar-int32.npy": npy(count("int32"), (1, 0)),
    "empty-uint8.npy": npy(count("uint8", 3, 0), (1, 0)),
    "bool.npy": npy(count("bool", 2, 4), (1, 0)),
    "stored.npz": lambda path: numpy.savez(path, **MODEL),
    "deflated.npz": lambda path: numpy.savez_compressed(path, **MODEL),
    "plain.safetensors": lambda path: safetensors.numpy.save_file(MODEL, path),
    "metadata.safetensors": lambda path: safetensors.numpy.save_file(MODEL, path, {"format": "np"}),
}

for name, write in FILES.items():
    if not (FOLDER / name).exists():
        write(FOLDER / name)
        print(FOLDER / name)
