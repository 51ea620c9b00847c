#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into fuzz/corpus/<target>/. Deterministic.
Run it after changing a format.
The two JPEG seeds of fuzz/corpus/image are TurboJPEG's, of a 16x8 ramp, and only kept there.
"""

import gzip
import io
import json
import lzma
import pathlib
import struct
import tarfile
import zlib

CORPUS = pathlib.Path(__file__).parent / "corpus"


def seed(target, name, contents):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(contents if isinstance(contents, bytes) else contents.encode())


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(colour_type, depth, row_bytes, height=2, width=2, extra=b""):
    rows = b"".join(b"\0" + bytes(range(i, i + row_bytes)) for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def safetensors(header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("top/a.bin")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    return out.getvalue()[:2048]


def main():
    seed("idx", "images", struct.pack(">IIII", 2051, 2, 2, 3) + bytes(12))
    seed("idx", "labels", struct.pack(">II", 2049, 4) + bytes([0, 1, 9, 5]))
    seed("cifar", "one", bytes([3]) + bytes(3072))
    seed("cifar", "two", (bytes([9]) + bytes(3072)) * 2)
    two = {"__metadata__": {"k": "v"},
           "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "U8", "shape": [1, 3], "data_offsets": [8, 11]}}
    seed("safetensors", "two", safetensors(two, bytes(11)))
    seed("safetensors", "none", safetensors({}, b""))
    seed("json", "all", '{"a":[1,-2.5e3,true,null,"\\u00e9\\n"],"b":{"c":18446744073709551615}}')
    seed("toml", "all", 'seed = 1\n[a]\nb = 1.5\nc = "x"\nd = true\ne = ["y", "z"]\n[a.f]\n"g h" = \'i\'\n')
    for name, text in {"train": "train\n--epochs\n3\n--learning-rate=0.1\n--no-fuse\n--json",
                       "predict": "predict\nrun\n--top\n3\n--\n-a.png", "help": "help\ntrain",
                       "kernels": "train\n--kernels\nconv1=reference,*=onednn\n--augment\ncrop=4,flip",
                       "mistake": "trian\n--epoch\n3"}.items():
        seed("command_line", name, text)
    for name, text in {"p2": "P2\n# c\n2 2\n15\n0 1 2 15\n", "p3": "P3 1 1 255 1 2 3", "p5": "P5 2 1 255\nab",
                       "p6": "P6 1 1 255\nabc", "p5-16": "P5 1 1 65535\nab"}.items():
        seed("image", name, text)
    seed("image", "png-grey", png(0, 8, 2))
    seed("image", "png-rgb", png(2, 8, 6))
    seed("image", "png-rgba-16", png(6, 16, 16))
    seed("image", "png-palette", png(3, 8, 2, extra=chunk(b"PLTE", bytes(range(12)))))
    for name, text in {"empty": b"", "text": b"some text, some text"}.items():
        seed("archive", name + ".gz", gzip.compress(text, mtime=0))
        seed("archive", name + ".xz", lzma.compress(text))
    seed("archive", "two.gz", gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0))
    seed("archive", "two.xz", lzma.compress(b"one") + bytes(4) + lzma.compress(b"two"))
    seed("archive", "tar", tar())
    seed("archive", "tar.gz", gzip.compress(tar(), mtime=0))


if __name__ == "__main__":
    main()
