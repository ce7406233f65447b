"""Tokens a second that a model's shape allows, from the kernels' results.

A model is a JSON object: name, layers, heads, kv_heads (heads if absent), head_size, hidden_size,
intermediate_size, vocabulary, gated (true where the feed-forward part has a gate matrix).

Prompt: the time of a layer's matrix products and attention over the prompt. Decode: one token, whose
weights are all read once. Each is taken from the result whose shape is nearest, scaled by
multiply-accumulates; a part for which a device has no result gives no figure.
"""
import json

from records import BadInput, median

FIELDS = ("name", "layers", "heads", "head_size", "hidden_size", "intermediate_size", "vocabulary")


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
    return model


def products(model):
    """(rows, columns) of a layer's weight matrices."""
    hidden, size = model["hidden_size"], model["head_size"]
    feed_forward = [(model["intermediate_size"], hidden)] * (2 if model.get("gated") else 1)
    return [(model["heads"] * size, hidden), (model["kv_heads"] * size, hidden), (model["kv_heads"] * size, hidden),
            (hidden, model["heads"] * size), *feed_forward, (hidden, model["intermediate_size"])]


def seconds_a_mac(results, group, device, macs):
    """Of the result nearest in size, and its key; (None, None) where the device has none."""
    some = [r for r in results if r["group"] == group and r["device"] == device and "macs" in r]
    if not some:
        return None, None
    nearest = min(some, key=lambda r: (max(r["macs"], macs) / min(r["macs"], macs), median(r)))
    return median(nearest) / nearest["macs"], nearest["key"]


def estimate(report, model, prompt=512):
    """Ways to split the work between devices, and what each allows."""
    results = report["results"]
    weights = products(model)
    head = (model["vocabulary"], model["hidden_size"])

    def cost(group, device, macs):
        rate, key = seconds_a_mac(results, group, device, macs)
        return (None if rate is None else rate * macs), key

    def total(parts):
        times = [cost(*part) for part in parts]
        keys = sorted({key for _, key in times if key})
        return (None if any(t is None for t, _ in times) else sum(t for t, _ in times)), keys

    attention_macs = model["heads"] * prompt * prompt * model["head_size"] * 2
    ways = []
    for name, matmul_device, attention_device in (("NPU alone", "npu", "npu"), ("GPU alone", "gpu", "gpu"),
                                                  ("GPU, attention on the NPU", "gpu", "npu"), ("CPU alone", "cpu", "cpu")):
        layer = [("matmul", matmul_device, n * k * prompt) for n, k in weights] + [("attention", attention_device, attention_macs)]
        prompt_time, prompt_keys = total(layer)
        token_time, token_keys = total([("matvec", matmul_device, n * k) for n, k in weights])
        last_time, last_keys = total([("matvec", matmul_device, head[0] * head[1])])
        decode_time = None if token_time is None or last_time is None else token_time * model["layers"] + last_time
        keys = sorted({*prompt_keys, *token_keys, *last_keys})
        bases = sorted({r["basis"] for r in results if r["key"] in keys})
        ways.append({"name": name, "prompt": prompt / (prompt_time * model["layers"]) if prompt_time else None,
                     "decode": 1 / decode_time if decode_time else None,
                     "rests_on": f"{' and '.join(bases)}: {', '.join(keys)}" if keys else "no result of that device"})
    return {"model": model["name"], "estimates": ways,
            "note": f"Prompt of {prompt} tokens. Weight products and attention only, one after another, each from the result whose size is nearest, "
                    "scaled by multiply-accumulates; decode reads all weights once and leaves the attention over the context out."}
