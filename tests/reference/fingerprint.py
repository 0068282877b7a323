"""A model's fingerprint."""
import struct

from arithmetic import f32
from blake3 import blake3


def number(n):
    return struct.pack("<Q", n)


def text(s):
    s = s.encode()
    return number(len(s)) + s


def list_of(elements):
    elements = list(elements)
    return number(len(elements)) + b"".join(elements)


def numbers(values):
    return list_of(map(number, values))


def json_value(v, version):
    """From version 6 on."""
    if v is None or isinstance(v, bool):
        return bytes([0 if v is None else 1 + v])
    if isinstance(v, int) and version >= 8 and f32(v) != v:
        return b"\7" + struct.pack("<q", v)
    if isinstance(v, (int, float)):
        return b"\3" + struct.pack("<f", f32(v))
    if isinstance(v, str):
        return b"\4" + text(v)
    if isinstance(v, list):
        return b"\5" + list_of(json_value(w, version) for w in v)
    return b"\6" + list_of(text(name) + json_value(v[name], version) for name in sorted(v, key=str.encode))


def layers(of_list):
    fields = {"tiles": ("rows", "columns", "height", "width"), "neighbours": ("above", "side")}

    def layer(l):
        named = text(l["name"]) if "name" in l else b""
        count = number(l["count"]) if "count" in l else b""
        return text(l["op"]) + named + count + (numbers(l[f] for f in fields[l["op"]]) if l["op"] in fields else b"")
    return list_of(map(layer, of_list))


def likelihood(kind):
    (name, o), = [(kind, {})] if isinstance(kind, str) else kind.items()
    if name == "causal_bernoulli":
        return text(name) + numbers(o[f] for f in ("channels", "above", "side"))
    if name == "causal_categorical":
        o = o | o["window"]
        return text(name) + numbers(o[f] for f in ("channels", "above", "side", "levels", "embedding"))
    return text(name) + b"".join(number(o[f]) for f in ("levels", "components") if f in o)


def lists_of_layers(d):
    """Versions 1 to 5."""
    bits = (number(*struct.unpack("<I", struct.pack("<f", v))) for v in d["latent"]["log_sigma"])
    of_groups = (number(group["latents"]) + layers(group["layers"]) for group in d.get("hierarchy", []))
    return b"".join((
        numbers(d["data_shape"]), likelihood(d["likelihood"]), number(d["latent"]["dim"]),
        number(d["latent"]["bin_precision"]), *bits, layers(d["encoder"]),
        list_of(of_groups) if d["version"] == 5 else b"", layers(d["decoder"]),
        layers(d["head"]) if "head" in d else b""))


def bytes_of(d, tensors):
    fields = {name: v for name, v in d.items() if name not in ("name", "training", "version")}
    of_tensors = (text(name) + numbers(tensors[name][0]) + struct.pack(f"<{len(tensors[name][1])}f", *tensors[name][1])
                  for name in sorted(tensors, key=str.encode))
    of_description = json_value(fields, d["version"]) if d["version"] >= 6 else lists_of_layers(d)
    return text("bbans model") + number(d["version"]) + of_description + list_of(of_tensors)


def fingerprint(d, tensors):
    return blake3(bytes_of(d, tensors))
