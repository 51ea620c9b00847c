#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into fuzz/corpus/<target>/. Deterministic.
Run it after changing a format.
The two JPEG seeds of fuzz/corpus/image are TurboJPEG's, of a 16x8 ramp, and only kept there.
"""

import gzip
import hashlib
import io
import json
import lzma
import pathlib
import re
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


def long_tar(tar_format):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for name in ("class/" + "n" * 120 + ".jpg", "class/short.cls"):
            entry = tarfile.TarInfo(name)
            entry.size = 1
            archive.addfile(entry, io.BytesIO(b"1"))
    return out.getvalue()[:4096]


def shard_index():
    records = b"".join(struct.pack("<QIIII", 512 + 1024 * i, 5, zlib.crc32(b"hello"), 0, 0) for i in range(3))
    header = {"format": 1, "classes": [{"name": "a", "count": 1}, {"name": "b", "count": 2}],
              "shards": [{"name": "all-000000.tar", "size_bytes": 8192, "sha256": "0" * 64}],
              "records_sha256": hashlib.sha256(records).hexdigest()}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"CVYSHARD" + struct.pack("<Q", len(text)) + text + records


GRAPH = """graph net 1x6x6
conv1 = Conv{auto_pad="NOTSET", dilations=[1,1], group=1, kernel_shape=[3,3], output_channels=4, pads=[1,1,1,1]}(input)
relu1 = Relu{}(conv1)
pool1 = MaxPool{ceil_mode=1, kernel_shape=[2,2], strides=[2,2]}(relu1)
norm = BatchNormalization{epsilon=1.0e-05, momentum=0.9}(pool1)
left = LRN{size=3}(norm)
sum = Add{}(norm, left)
both = Concat{axis=1}(sum, norm)
flat = Flatten{axis=1}(both)
drop = Dropout{ratio=0.5}(flat)
fc1 = Gemm{output_features=3, initialiser="gaussian:0.01"}(drop)
loss = SoftmaxCrossEntropyLoss{}(fc1, labels)
output fc1
loss loss
class a b
class "c"
class d
"""

# Of the model that plan_text_fuzz.cc plans.
PLAN = """layer conv forward=onednn/blocked backward_weights=onednn/blocked
layer relu fused backward_data=onednn/blocked
layer flat
layer fc forward=onednn/plain backward_data=onednn/plain backward_weights=reference/plain
layer loss forward=reference/plain backward_data=reference/plain
storage conv.weight=Acdb16a
storage fc.weight=ba
threads 2
memory shared
"""


def fnv1a(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


SMALL = "graph n 1x2x2\nf = Flatten{axis=1}(input)\noutput f\n"


def manifest():
    fields = {"format": 1, "step": 20, "seed": 18446744073709551615, "model_hash": f"{fnv1a(SMALL):016x}", "rule": "momentum",
              "texts": {"graph": SMALL, "plan": "layer f\nthreads 1\n", "config": "[train]\nepochs = 2\n",
                        "input": '{"data":"digits","mean":[0.1],"stddev":[0.3],"class_names":["a b","\\"c\\"","d"]}'},
              "metrics": {"test_loss": 0.25},
              "files": {"weights.safetensors": {"size_bytes": 8, "sha256": "0" * 64}}}
    covered = json.dumps(fields, indent=2)[:-2] + ",\n"
    return covered + '  "manifest_sha256": "' + hashlib.sha256(covered.encode()).hexdigest() + '"\n}\n'


def varint(value):
    value %= 2**64
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def field(number, value):
    """One protobuf field: an integer as a varint, a float in 4 bytes, the rest with its length."""
    if isinstance(value, int):
        return varint(number * 8) + varint(value)
    if isinstance(value, float):
        return varint(number * 8 + 5) + struct.pack("<f", value)
    value = value if isinstance(value, bytes) else value.encode()
    return varint(number * 8 + 2) + varint(len(value)) + value


def fields(*pairs):
    return b"".join(field(number, value) for number, value in pairs)


def onnx_tensor(name, dims, values):
    return fields(*((1, size) for size in dims), (2, 1), (8, name), (9, struct.pack(f"<{len(values)}f", *values)))


def onnx_integers(name, values):
    return fields((1, len(values)), (2, 7), (8, name), *((7, value) for value in values))


def onnx_attribute(name, value):
    if isinstance(value, int):
        return fields((1, name), (3, value), (20, 2))
    if isinstance(value, float):
        return fields((1, name), (2, value), (20, 1))
    if isinstance(value, str):
        return fields((1, name), (4, value), (20, 3))
    if isinstance(value, bytes):
        return fields((1, name), (5, value), (20, 4))
    return fields((1, name), *((8, item) for item in value), (20, 7))


def onnx_node(op, inputs, outputs, **attributes):
    return fields(*((1, name) for name in inputs), *((2, name) for name in outputs), (3, op + "_" + outputs[0]), (4, op),
                  *((5, onnx_attribute(name, value)) for name, value in attributes.items()))


def onnx_value(name, dims, kind=1):
    shape = b"".join(field(1, field(2, size) if isinstance(size, str) else field(1, size)) for size in dims)
    return fields((1, name), (2, field(1, fields((1, kind), (2, shape)))))


def onnx_model(nodes, tensors=(), dims=("N", 1, 4, 4), opset=13, metadata=(), labels=()):
    graph = fields(*((1, node) for node in nodes), (2, "g"), *((5, tensor) for tensor in tensors), (11, onnx_value("x", dims)),
                   *((11, value) for value in labels), (12, onnx_value("y", ["N"])))
    return fields((1, 8), (2, "seed"), (7, graph), (8, field(2, opset)),
                  *((14, fields((1, key), (2, value))) for key, value in metadata))


def onnx_models():
    ones = [1.0] * 18
    stem = onnx_node("Conv", ["x", "c.weight", "c.bias"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    stem_tensors = [onnx_tensor("c.weight", [2, 1, 3, 3], ones), onnx_tensor("c.bias", [2], ones[:2])]
    head = [onnx_node("Flatten", ["r"], ["f"], axis=1), onnx_node("Gemm", ["f", "w"], ["y"], transB=1, alpha=0.5)]
    norm = onnx_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], epsilon=1e-5)
    norm_tensors = [onnx_tensor(name, [2], ones[:2]) for name in "sbmv"]
    yield "classifier", onnx_model(
        [stem, norm, onnx_node("Relu", ["n"], ["r"]), *head], [*stem_tensors, *norm_tensors, onnx_tensor("w", [2, 32], [0.5] * 64)],
        metadata=[("convoy.class_names", '["a","b"]'), ("convoy.input", '{"data":"d","mean":[0.1],"stddev":[0.3]}'),
                  ("convoy.loss", '{"name":"l","op":"SoftmaxCrossEntropyLoss","attributes":"{}","inputs":["y","labels"]}'),
                  ("convoy.layers", '{"c":"{initialiser=\\"glorot\\"}"}')])
    yield "branches", onnx_model(
        [onnx_node("MaxPool", ["x"], ["p"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
         onnx_node("Pad", ["x", "pads"], ["q"]), onnx_node("AveragePool", ["q"], ["a"], kernel_shape=[3, 3]),
         onnx_node("Concat", ["p", "a"], ["c"], axis=1), onnx_node("LRN", ["c"], ["l"], size=3), onnx_node("Add", ["l", "k"], ["s"]),
         onnx_node("Dropout", ["s"], ["d", "mask"]), onnx_node("ReduceMean", ["d"], ["m"], axes=[2, 3], keepdims=0),
         onnx_node("Unsqueeze", ["m", "axes"], ["u"]), onnx_node("Squeeze", ["u"], ["v"]),
         onnx_node("Reshape", ["v", "shape"], ["t"]), onnx_node("Softmax", ["t"], ["y"])],
        [onnx_integers("pads", [0, 0, 1, 1, 0, 0, 1, 1]), onnx_tensor("k", [2, 1, 1], ones[:2]), onnx_integers("axes", [2]),
         onnx_integers("shape", [-1, 2])])
    yield "constants", onnx_model(
        [onnx_node("Constant", [], ["k"], value=onnx_tensor("", [], [2.0])), onnx_node("Identity", ["k"], ["i"]),
         onnx_node("Mul", ["x", "i"], ["y"])], opset=9)
    yield "old", onnx_model([onnx_node("Add", ["x", "k"], ["a"], broadcast=1, axis=1), onnx_node("Softmax", ["a"], ["y"])],
                            [onnx_tensor("k", [1], ones[:1])], opset=6)
    yield "loss", onnx_model([onnx_node("SoftmaxCrossEntropyLoss", ["x", "t"], ["y", "log"], reduction="mean")], dims=("N", 5),
                             labels=[onnx_value("t", ["N"], 7)])
    yield "cycle", onnx_model([onnx_node("Add", ["x", "y"], ["a"]), onnx_node("Relu", ["a"], ["y"])])
    yield "left", onnx_model([onnx_node("MatMul", ["k", "x"], ["y"])], [onnx_tensor("k", [3, 4], ones[:12])], dims=(4, 2))


def main():
    for name, contents in onnx_models():
        seed("onnx_import", name, contents)
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
    seed("graph_text", "all", GRAPH)
    seed("graph_text", "deep", "graph n 3x8x8x8\nc = Conv{kernel_shape=[1,2,3], output_channels=2}(input)\noutput c\n")
    seed("graph_text", "wide", "graph n 16777216x8388608\nr = Relu{}(input)\noutput r\n")
    seed("graph_text", "attributes", '{a=1, b=-2.5e3, c="x\\"y\\n", d=[1,-2,3], e=[], f=inf}')
    seed("plan_text", "all", PLAN)
    seed("plan_text", "bf16", PLAN.replace("onednn/blocked", "onednn/blocked/bf16"))
    seed("plan_text", "reference", re.sub("=onednn/[a-z]*", "=reference/plain", PLAN).replace(
        " fused", " forward=reference/plain").replace("storage conv.weight=Acdb16a", "memory separate"))
    seed("manifest", "all", manifest())
    for name, sizes, tag in [("plain", (2, 3, 4), "plain"), ("nhwc", (2, 3, 4, 5), "acdb"),
                             ("blocked", (2, 5, 3, 3), "aBcd16b"), ("twice", (8, 7), "AB4b8a2b"),
                             ("groups", (6, 4, 3, 3), "g2:aBcde8b")]:
        seed("layout", name, bytes([len(sizes), *sizes]) + tag.encode())
    for name, text in {"square": "n32c64h56k64r3s1p1", "all": "n1c4h9w7k6r3q5s2x1p0x3d1x2g2",
                       "pads": "n1c1h5k1r3p1x2x0x3", "large": "n16777216c16777216h9k1r3"}.items():
        seed("conv_problem", name, text)
    for name, text in {"augment": "crop=4:reflect,flip,translate=2,rotate=12.5,elastic=34:4",
                       "photographs": "resized_crop=0.25:0.9,flip,jitter=0.4:0.3:0", "fold": "2/5", "step": "step:0.1@2.5epochs",
                       "polynomial": "polynomial:2,1e-4+warmup:3epochs", "cosine": "cosine:1e+2+warmup:10steps",
                       "exponential": "exponential:0.5", "constant": "constant+warmup:7"}.items():
        seed("setting_texts", name, text)
    machine = {"cpu": "A", "isa": "AVX3", "processors": 2, "libraries": {"oneDNN": "2.6.3"},
               "ceilings": {"2": {"f32_flops": 2e11, "memory_bandwidth": 2e10, "cache_bandwidth": 1e11,
                                  "dispatch_seconds": 1.5e-6, "cache_bytes": 33554432}},
               "seconds": {"Conv forward 1x1x2x2 -> 1x1x2x2 {} f32 plain": {"1": {"fft": 1e-6, "winograd:f4": 2.5e-6}}}}
    seed("tune_cache", "empty", json.dumps({"format": 1, "machines": []}))
    seed("tune_cache", "one", json.dumps({"format": 1, "machines": [machine]}))
    seed("tune_cache", "two", json.dumps({"format": 1, "machines": [machine, {**machine, "cpu": "B", "ceilings": {}}]}, indent=1))
    seed("tune_cache", "format2", json.dumps({"format": 2}))
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
    seed("tar_scan", "ustar", tar())
    seed("tar_scan", "pax", long_tar(tarfile.PAX_FORMAT))
    seed("tar_scan", "gnu", long_tar(tarfile.GNU_FORMAT))
    seed("shard_index", "three", shard_index())
    seed("archive", "tar.gz", gzip.compress(tar(), mtime=0))


if __name__ == "__main__":
    main()
