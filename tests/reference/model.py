"""Model files, and what their functions give. A model file is trusted to be a valid one."""
import collections
import itertools
import json
import math
import struct

import packed
from arithmetic import clamp, exp, f32, f32s
from corruption import need
from fingerprint import fingerprint
from likelihoods import LIKELIHOODS
from ops import OPS


def read_tensors(data):
    """Shape and values of each tensor of a safetensors file, by name; and its metadata."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata, tensors = header.pop("__metadata__"), {}
    for name, t in header.items():
        start, end = (8 + size + offset for offset in t["data_offsets"])
        kind, width = {"F32": ("f", 4), "F16": ("e", 2)}[t["dtype"]]
        values = struct.unpack(f"<{(end - start) // width}{kind}", data[start:end])
        # A negative zero counts as +0, and becomes it.
        tensors[name] = t["shape"], [v + 0.0 for v in values]
    return tensors, metadata


def as_version_6(d, tensors):
    """A description of versions 1 to 5, with lists of layers, as one of version 6, with functions."""
    numbers = itertools.count()

    def function(inputs, layers, size=None):
        """A list of layers on all inputs, one after another; and how many numbers it gives."""
        nodes = [{"op": "concat", "id": f"inputs {next(numbers)}", "inputs": inputs}]
        for layer in layers:
            node = {**layer, "id": layer.get("name", f"layer {next(numbers)}"), "inputs": [nodes[-1]["id"]]}
            if "name" in layer:
                node["outputs"] = len(tensors[layer["name"] + ".bias"][1])
                size = node["outputs"] * node.get("count", 1)
            nodes.append(node)
        # Layers know no shapes.
        nodes.append({"op": "reshape", "id": f"outputs {next(numbers)}", "inputs": [nodes[-1]["id"]], "shape": [size]})
        return {"inputs": inputs, "nodes": nodes, "outputs": [nodes[-1]["id"]]}, size

    encode, features = function(["data"], [{"op": "reshape", "shape": [math.prod(d["data_shape"])]}] + d["encoder"])
    groups, names = [], []
    for layer in d.get("hierarchy", [{"latents": d["latent"]["dim"], "layers": []}]):
        n = layer["latents"]
        posterior, _ = function(encode["outputs"] + names, layer["layers"], features)
        whole, halves = posterior["outputs"], ["mean", "log_sigma"]
        posterior["nodes"] += [{"op": "slice", "id": half, "inputs": whole, "start": i * n, "end": (i + 1) * n}
                               for i, half in enumerate(halves)]
        groups.append({"latents": f"latents {len(names)}", "shape": [n], "posterior": {**posterior, "outputs": halves}})
        names = names + [groups[-1]["latents"]]
    decode, _ = function(names, d["decoder"])
    stages, layers = [{}], [[]]
    for layer in d.get("head", []):
        if layer["op"] == "neighbours":
            stages.append({"above": layer["above"], "side": layer["side"]})
            layers.append([])
        else:
            layers[-1].append(layer)
    head = [{**stage, "function": function(["pixel"], part)[0]} for stage, part in zip(stages, layers)]
    return {**d, "encode": encode, "groups": groups, "decode": decode, "head": head}


class Model:
    def __init__(self, data):
        if data.startswith(packed.MAGIC):
            self.tensors, d = packed.unpack(data[len(packed.MAGIC):])
        else:
            self.tensors, metadata = read_tensors(data)
            d = json.loads(metadata["bbans"])
        need(d["version"] in range(1, 10), "another kind of model")
        self.fingerprint = fingerprint(d, self.tensors)
        d = d if d["version"] >= 6 else as_version_6(d, self.tensors)
        self.description = d = {"groups": [], **d}
        # By node, then by part.
        self.parts = collections.defaultdict(dict)
        for name, (_, values) in self.tensors.items():
            node, _, part = name.rpartition(".")
            self.parts[node][part] = values
        self.latents = 0
        if "latent" in d:
            self.read_bins(d["latent"])
        self.dims = math.prod(d["data_shape"])
        self.levels = 2
        if isinstance(d["likelihood"], dict):
            (options,) = d["likelihood"].values()
            self.levels = options.get("levels", 2)
        self.start = {}
        if "start" in d:
            self.give(d["start"], self.start)

    def read_bins(self, latent):
        self.edges, self.centres = self.parts["latent"]["edges"], self.parts["latent"]["centres"]
        self.latents, self.precision = latent["dim"], latent["bin_precision"]
        self.low, self.high = f32s(latent["log_sigma"])
        masses = self.parts["latent"].get("masses") or [2**24 >> self.precision] * 2**self.precision
        # Where each bin begins under the prior, and the end.
        self.prior = [int(start) for start in itertools.accumulate(masses, initial=0)]
        need(self.prior[-1] == 2**24, "masses of bins")

    def run(self, function, inputs):
        """What a function gives of its inputs: shape and values of each, and of each output."""
        known = dict(zip(function["inputs"], inputs))
        for node in function["nodes"]:
            given = [known[name] for name in node["inputs"]]
            shapes, values = [shape for shape, _ in given], [v for _, v in given]
            shape, y = OPS[node["op"]](node, self.parts[node["id"]], shapes, values)
            need(all(map(math.isfinite, y)), f"node {node['id']} gives an infinite number or NaN")
            known[node["id"]] = shape, y
        return [known[name] for name in function["outputs"]]

    def give(self, function, values):
        """Runs a function on the model's values, and adds its outputs to them; gives the outputs' numbers alone."""
        outputs = self.run(function, [values[name] for name in function["inputs"]])
        values.update(zip(function["outputs"], outputs))
        return [y for _, y in outputs]

    def clamp(self, log_sigma):
        return [clamp(v, self.low, self.high) for v in log_sigma]

    def prior_of(self, group, values):
        """Mean and log_sigma of a group's prior, or None for the standard one."""
        if "prior" not in group:
            return None
        mean, log_sigma, *_ = self.give(group["prior"], values)
        return mean, self.clamp(log_sigma)

    def take(self, group, values, bins, prior):
        """Adds a group's latents, of these bins, to the values."""
        z = [self.centres[b] for b in bins]
        if prior:
            mean, log_sigma = prior
            z = f32s([m + p for m, p in zip(mean, f32s([exp(s) * e for s, e in zip(log_sigma, z)]))])
            need(all(map(math.isfinite, z)), f"infinite latents {group['latents']}")
        values[group["latents"]] = group["shape"], z
        if "update" in group:
            self.give(group["update"], values)

    def from_the_top(self, bins):
        """The model's values, given the bins of all latents; and of each group the prior's mean and log_sigma."""
        values, priors, bins = dict(self.start), [], iter(bins)
        for group in self.description["groups"]:
            priors.append(self.prior_of(group, values))
            self.take(group, values, itertools.islice(bins, math.prod(group["shape"])), priors[-1])
        return values, priors

    def likelihood(self, values):
        """What finds the symbols: see likelihoods.py."""
        (_, y), = self.run(self.description["decode"], [values[name] for name in self.description["decode"]["inputs"]])
        kind = self.description["likelihood"]
        (name, options), = [(kind, {})] if isinstance(kind, str) else kind.items()
        return LIKELIHOODS[name](options, self, y)

    def encoded(self, x):
        """What `encode` gives of a datum, by name."""
        if "encode" not in self.description:
            return []
        encode, symbols = self.description["encode"], self.description.get("symbols")
        data = [self.scaled(d % len(symbols), v) if symbols else float(v) for d, v in enumerate(x)]
        return zip(encode["outputs"], self.run(encode, [(self.description["data_shape"], data)]))

    def scaled(self, t, symbol):
        """The number of a symbol, the one in place t of a position, of an autoregressive likelihood."""
        middle, unit = f32s(self.description["symbols"][t]["scaling"][key] for key in ("middle", "unit"))
        return f32(f32(symbol - middle) / unit)

    def posterior_of(self, group, values, prior):
        """Means and inverse standard deviations of a group, in units of its prior."""
        of_group = group["posterior"]
        (_, mean), (_, log_sigma) = self.run(of_group, [values[name] for name in of_group["inputs"]])
        if prior:
            less = f32s([q - p for q, p in zip(mean, prior[0])])
            mean = f32s([v * exp(-s) for v, s in zip(less, prior[1])])
            need(all(map(math.isfinite, mean)), f"an infinite mean of latents {group['latents']}")
            log_sigma = f32s([q - p for q, p in zip(log_sigma, prior[1])])
        return mean, [exp(-v) for v in self.clamp(log_sigma)]

    def posterior(self, x, values, priors):
        """Means and inverse standard deviations of all latents, in units of their priors."""
        values, means, rates = dict(values), [], []
        values.update(self.encoded(x))
        for group, prior in zip(self.description["groups"], priors):
            of_group = self.posterior_of(group, values, prior)
            means += of_group[0]
            rates += of_group[1]
        return means, rates
