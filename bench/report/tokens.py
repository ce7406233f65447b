"""Tokens a second that a model's shape allows, from the kernels' results.

A model is a JSON object: name, layers, heads, kv_heads (heads if absent), head_size, hidden_size,
intermediate_size, vocabulary, gated (true where the feed-forward part has a gate matrix), and published:
a list of what others measured of it, {name, device, prompt, decode, source}. models/ has examples.

Prompt: the time of a layer's matrix products and attention over the prompt. Decode: one token, whose
weights are all read once. Each is taken from the result whose shape is nearest, scaled by
multiply-accumulates; a part for which a device has no result gives no figure.
"""
import json

from records import BadInput, median

FIELDS = ("name", "layers", "heads", "head_size", "hidden_size", "intermediate_size", "vocabulary")
PROMPT = 512

# What this project was begun with: tokens a second on a Phoenix of 16 TOPS, at 45 and 55 W. Neither a model nor
# whether they are a prompt's or decoded was said; they are taken as decoded, the smaller claim.
SEEDS = {"gpu": (50, 100), "both": (100, 150)}
SEEDS_SAY = "a Phoenix of 16 TOPS at 45 and 55 W; model, weights and prompt or decode were not said"

# Phoenix's memory at most: 128 bits of LPDDR5x-7500 (of DDR5-5600: 89.6 GB/s), AMD's specification of the Ryzen 7 7840U.
MEMORY = 7500e6 * 16
# A block of 32 4-bit weights with an f16 scale.
BYTES_A_WEIGHT = 4.5 / 8


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            model = json.load(file)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: not JSON: {error}") from None
    missing = [field for field in FIELDS if field not in model] if isinstance(model, dict) else FIELDS
    if missing:
        raise BadInput(f"{path}: has no {', '.join(missing)}")
    for field in FIELDS[1:]:
        if not isinstance(model[field], int) or model[field] <= 0:
            raise BadInput(f"{path}: {field}: {model[field]!r} is not a positive whole number")
    model.setdefault("kv_heads", model["heads"])
    if not isinstance(model["kv_heads"], int) or model["kv_heads"] <= 0 or model["heads"] % model["kv_heads"] != 0:
        raise BadInput(f"{path}: kv_heads: {model['kv_heads']!r} does not divide heads ({model['heads']})")
    for index, other in enumerate(model.setdefault("published", [])):
        if not all(isinstance(other.get(field), (int, float)) and other[field] > 0 for field in ("prompt", "decode")) or \
                not all(isinstance(other.get(field), str) for field in ("name", "device", "source")):
            raise BadInput(f"{path}: published[{index}]: needs name, device and source, and prompt and decode above 0")
    return model


def products(model):
    """(rows, columns) of a layer's weight matrices."""
    hidden, size = model["hidden_size"], model["head_size"]
    feed_forward = [(model["intermediate_size"], hidden)] * (2 if model.get("gated") else 1)
    return [(model["heads"] * size, hidden), (model["kv_heads"] * size, hidden), (model["kv_heads"] * size, hidden),
            (hidden, model["heads"] * size), *feed_forward, (hidden, model["intermediate_size"])]


def weights_read(model):
    """Of one decoded token."""
    return model["layers"] * sum(n * k for n, k in products(model)) + model["vocabulary"] * model["hidden_size"]


class Costs:
    """Seconds of parts of a model, and which results they come from."""

    def __init__(self, results):
        self.results = results
        self.used = set()

    def of(self, group, device, macs):
        """None where the device has no such result."""
        some = [r for r in self.results if r["group"] == group and r["device"] == device and "macs" in r]
        if not some:
            return None
        nearest = min(some, key=lambda r: (max(r["macs"], macs) / min(r["macs"], macs), median(r)))
        self.used.add(nearest["key"])
        return median(nearest) / nearest["macs"] * macs

    def sum(self, parts):
        times = [self.of(*part) for part in parts]
        return None if None in times else sum(times)

    def bases(self):
        return sorted({r["basis"] for r in self.results if r["key"] in self.used})


def way(results, model, name, of, matmul_device, attention_device):
    costs = Costs(results)
    attention = model["heads"] * PROMPT * PROMPT * model["head_size"] * 2
    layer = costs.sum([("matmul", matmul_device, n * k * PROMPT) for n, k in products(model)] + [("attention", attention_device, attention)])
    token = costs.sum([("matvec", matmul_device, n * k) for n, k in products(model)])
    head = costs.sum([("matvec", matmul_device, model["vocabulary"] * model["hidden_size"])])
    return {"name": name, "of": of, "bases": costs.bases(), "prompt": PROMPT / (layer * model["layers"]) if layer else None,
            "decode": 1 / (token * model["layers"] + head) if token and head else None,
            "rests_on": f"{' and '.join(costs.bases())}: {', '.join(sorted(costs.used))}" if costs.used else "no result of that device"}


def at_once(gpu, npu, limit):
    """Both, each with its share of the weights' rows, as if neither waited: an upper bound."""
    if not gpu["prompt"] or not npu["prompt"]:
        return None
    decode = min(gpu["decode"] + npu["decode"], limit) if gpu["decode"] and npu["decode"] else None
    bases = sorted({*gpu["bases"], *npu["bases"]})
    return {"name": f"{gpu['name']}, and the NPU at once", "of": "both", "bases": bases, "prompt": gpu["prompt"] + npu["prompt"], "decode": decode,
            "rests_on": f"{' and '.join(bases)}: the sum of both alone: rows split by speed, no hand-over, no clock lost to shared power; decode at most what memory allows"}


def estimate(report, model):
    """Ways to split the work between devices, what each allows, and how far that is from the seeds' figures."""
    results = report["results"]
    limit = MEMORY / (weights_read(model) * BYTES_A_WEIGHT)
    npu = way(results, model, "NPU alone", None, "npu", "npu")
    gpu = way(results, model, "GPU alone", "gpu", "gpu", "gpu")
    ways = [npu, gpu, way(results, model, "GPU, attention on the NPU", "both", "gpu", "npu"), at_once(gpu, npu, limit),
            way(results, model, "CPU alone", None, "cpu", "cpu")]
    for other in model["published"]:
        published = {"name": other["name"], "of": "gpu", "bases": ["published"], "prompt": other["prompt"], "decode": other["decode"], "rests_on": other["source"]}
        ways += [published, at_once(published, npu, limit)]
    ways = [w for w in ways if w]
    for w in ways:
        # A program that stands in for a GPU says nothing of how far it is.
        comparable = w["of"] and w["decode"] and "virtual" not in w["bases"]
        w["of_seeds"] = [w["decode"] / seed for seed in SEEDS[w["of"]]] if comparable else None
    return {"model": model["name"], "estimates": ways, "seeds": SEEDS, "seeds_say": SEEDS_SAY, "memory_limit": limit,
            "memory_says": f"{weights_read(model) / 1e9:.2f} G weights of 4.5 bits, once each, over Phoenix's {MEMORY / 1e9:.0f} GB/s (LPDDR5x-7500, all of it)",
            "note": f"Prompt of {PROMPT} tokens. Weight products and attention only, one after another, each from the result whose size is nearest, "
                    "scaled by multiply-accumulates; decode reads all weights once and leaves the attention over the context out."}
