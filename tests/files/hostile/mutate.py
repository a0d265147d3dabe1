"""Mutants: of bytes, and of what formats consist of."""

import json
import re
import zlib

import numpy as np

HOSTILE = [
    b"0", b"-1", b"2", b"1e999", b"NaN", b"null", b"true", b'""', b"[]", b"{}",
    b"4294967296", b"9223372036854775808", b"1" * 400, b"1" * 5000, b"[" * 2000,
    b'{"class":', b'"Linear"', b'"\\ud800"', b"1" * 11, b"\0", b"\xff" * 8, b'"a":1,',
    b"\xef\xbb\xbf", b"../" * 9, b"\r\n", b"=HYPERLINK()", b"9" * 20, b"-" * 9,
]  # fmt: skip
VALUES = [
    0, -1, 1, 2**31 - 1, 2**32, 2**63, 10**11, 10**400, 1e308, float("nan"),
    float("inf"), -0.5, None, True, "", "a", "Linear", "same", "\ud800", "\0", "../..",
    "/dev/zero", [], [1], [1, 2], [[1, 2]], {}, {"a": 1}, {"class": "ReLU"},
    {"class": "Linear", "in_features": 10**6, "out_features": 10**6},
    {"class": "Sequential", "layers": []}, {"name": "nn.save"}, {"own": "x"},
    {"made": "metrics.ConfusionMatrix", "arguments": {"dict": [["classes", 10**6]]}},
]  # fmt: skip
LITERALS = [
    "0", "-1", "1e999", "nan", "inf", "9223372036854775808", "9" * 400, "9" * 5000,
    "true", '""', '"a"', '"\\u0000"', '"../.."', "[]", "[1, 2]", "{}", "{a = 1}",
    "2026-11-28", "07:32:00", "'''\n'''", "[" * 2000, "{a = " * 500, "", "\0",
    '{log = [0.0, 1e999]}', '{choice = []}', '{integer = [1, 10000000000]}',
    '{one_minus_log = [0.9, 0.9]}', '{linear = ["a", 1]}',
]  # fmt: skip


def content(whole, rng):
    """Return the content with one to three changes."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        end = min(end, place + rng.choice((1, 4, 30, 400)))
        kind = rng.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[place:end] = rng.randbytes(end - place)
        elif kind == 2:
            del data[place:end]
        elif kind == 3:
            data[place:place] = data[place:end]
        elif kind == 4:
            data[place:end] = rng.choice(HOSTILE)
        elif kind == 5:
            data[place:place] = rng.choice(HOSTILE)
        else:
            del data[place:]
    return bytes(data)


def exchanged(value, rng):
    """Return JSON data in which one value or key, at any depth, is another one."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(keys)
        copy = value.copy()
        if isinstance(copy, dict) and rng.random() < 0.1:
            copy[rng.choice(("class", "self", "x", "layers"))] = copy.pop(key)
        elif rng.random() < 0.1:
            del copy[key]
        else:
            copy[key] = exchanged(value[key], rng)
        return copy
    return rng.choice(VALUES)


def json_text(value, rng):
    """Return the text of JSON data: an exchanged value, changed bytes, or deep nests.

    Deep ones come close to what Python's stack allows, from both sides.
    """
    kind = rng.randrange(10)
    if kind == 0:
        depth = rng.randrange(100, 1100)
        nest = "[" * depth + "]" * depth
        if rng.random() < 0.5:
            nest = '{"a":' * depth + "1" + "}" * depth
        marked = json.dumps(_marked(value, rng))
        return marked.replace('"\\u2620"', nest, 1).encode()
    if kind < 7:
        return json.dumps(exchanged(value, rng)).encode()
    return content(json.dumps(value).encode(), rng)


def _marked(value, rng):
    """Return JSON data with a mark in place of one value."""
    if not isinstance(value, dict) or not value:
        return "☠"
    key = rng.choice(list(value))
    return value | {key: _marked(value[key], rng) if rng.random() < 0.5 else "☠"}


def toml(text, rng):
    """Return TOML with another value, an extra line, or changed bytes."""
    if rng.random() < 0.3:
        return content(text.encode(), rng)
    lines = text.splitlines()
    place = rng.randrange(len(lines))
    name = re.split(r"\s*=", lines[place])[0] or "a"
    lines[place] = f"{name} = {rng.choice(LITERALS)}"
    if rng.random() < 0.2:
        new = (lines[place], "[a]", "[[lr]]", "a.b = 1", "lr.x = 1", "x" * 999 + " = 1")
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(new))
    return "\n".join(lines).encode()


def csv(text, rng):
    """Return CSV with another cell, or changed bytes."""
    if rng.random() < 0.4:
        return content(text.encode(), rng)
    rows = [line.split(",") for line in text.splitlines()]
    row = rng.choice(rows)
    cell = rng.choice(("", "x", '"', '"a\nb"', "nan", "1e999", "-1", "٣", "9" * 5000,
                       "1_0", "0x1", "=1+1", "\0", "a" * 200_000, "1,1"))  # fmt: skip
    row[rng.randrange(len(row))] = cell
    return "\n".join(map(",".join, rows)).encode(errors="surrogatepass")


def message(whole, rng):
    """Change one field of a protocol buffer, at any depth."""
    message = whole
    while True:
        fields = message.ListFields()
        if not fields:
            return
        field, value = rng.choice(fields)
        repeated = not isinstance(value, (str, bytes, int, float)) and hasattr(
            value, "__len__"
        )
        if repeated and rng.random() < 0.1:
            del value[rng.randrange(len(value)) :]
            return
        inner = field.message_type is not None
        if inner and (rng.random() < 0.8 or not repeated):
            message = rng.choice(list(value)) if repeated else value
            continue
        if inner:
            value.add().CopyFrom(rng.choice(list(value)))
            return
        kind = type(value[0] if repeated else value)
        other = {
            int: (0, 1, -1, 2, 7, 23, 2**31 - 1, 10**9, -(2**31)),
            float: (0.0, -1.0, 1e30, float("nan"), float("inf")),
            str: ("", "a", "x", "y", "../../a", "/dev/zero", "_graph", "forward", "☠"),
            bytes: (b"", b"\xff" * 4, bytes(8), b"SAME_UPPER", b"constant"),
        }[kind]
        new = rng.choice(other)
        try:
            if repeated:
                value[rng.randrange(len(value))] = new
            else:
                setattr(message, field.name, new)
        except ValueError:  # too large for this field, or no value of an enumeration
            message.ClearField(field.name)
        return


def tar(archive, rng):
    """Return a tar archive with one header changed, whose checksum is right again."""
    data = bytearray(archive)
    heads = [n for n in range(0, len(data), 512) if data[n + 257 : n + 262] == b"ustar"]
    head = rng.choice(heads)
    field, width = rng.choice(
        ((0, 100), (100, 8), (124, 12), (124, 12), (136, 12), (156, 1), (156, 1),
         (157, 100), (257, 8), (345, 155), (483, 12))
    )  # fmt: skip
    new = rng.choice(
        (b"%011o\0" % rng.randrange(2**33), b"\xff" * width, bytes(width), b"-1",
         b"\x80" + rng.randbytes(width), b"../../etc/passwd\0", b"/etc/passwd\0",
         rng.choice(b"0123456789LKSxgVMDN").to_bytes(1, "big"))
    )[:width]  # fmt: skip
    data[head + field : head + field + len(new)] = new
    block = data[head : head + 512]
    block[148:156] = b" " * 8
    data[head + 148 : head + 156] = b"%06o\0 " % sum(block)
    return bytes(data)


def png(picture, rng):
    """Return a PNG with one chunk changed, whose checksum is right again."""
    chunks, place = [], 8
    while place < len(picture):
        size = int.from_bytes(picture[place : place + 4], "big")
        chunks.append((picture[place + 4 : place + 8], picture[place + 8 :][:size]))
        place += 12 + size
    number = rng.randrange(len(chunks))
    kind, data = chunks[number]
    if kind == b"IDAT" and rng.random() < 0.5:
        data = zlib.compress(content(zlib.decompress(data), rng))
    elif rng.random() < 0.2:
        kind = rng.choice((b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"eXIf"))
    else:
        data = content(data, rng)
    chunks[number] = (kind, data)
    if rng.random() < 0.2:
        chunks.insert(rng.randrange(len(chunks)), rng.choice(chunks))
    return picture[:8] + b"".join(
        len(data).to_bytes(4, "big")
        + kind
        + data
        + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


def arrays(named, rng):
    """Return arrays by name of which one has another name, shape, type or value."""
    named = dict(named)
    name = rng.choice(list(named))
    array = named[name]
    kind = rng.randrange(6)
    if kind == 0:
        named[rng.choice(("", "a.b", "0.", "/", "dev/x", "☠"))] = named.pop(name)
    elif kind == 1:
        del named[name]
    elif kind == 2:
        named[name] = array[None][: rng.randrange(2)]
    elif kind == 3:
        named[name] = array.astype(rng.choice(("i1", "u8", "f4", "f8", "?", "f2")))
    else:
        floats, integers = (np.nan, np.inf, -1.0, 2.0**62), (2, 99)
        named[name] = np.full_like(
            array, rng.choice(floats if array.dtype.kind == "f" else integers)
        )
    return named
