"""What the report is made of: results, read from Google Benchmark's JSON.

A benchmark that belongs in the report is named GROUP/DEVICE/TYPE/SHAPE, for example
matmul/npu/int8/1024x1024x1024 or copy/npu/to_device/65536, where DEVICE is npu, gpu or cpu. Counters say
what was done in one iteration: `macs` (multiply-accumulates), `bytes`, `joules`, `peak` and `peak_bytes` (macs
and bytes a second that the device could do at most), `modelled` (1 where the time is the simulator's cycles over
the clock it models, and not wall time) and `software` (1 where the CPU stands in for the device). Each
repetition is one sample. The group `roof` is what a device does at most, as small kernels measure it.

The basis of a result is `measured` (time on the device), `modelled`, or `virtual`: wall time where
a program stands in for the device, the virtual NPU or Vulkan on the CPU, which says nothing of hardware.
"""
import math
import statistics

SCHEMA = 2
DEVICES = ("npu", "gpu", "cpu")
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
COUNTERS = ("macs", "bytes", "peak", "peak_bytes")


class BadInput(Exception):
    """A file that is not what it should be; the text names it."""


def basis_of(row, virtual):
    if row.get("modelled"):
        return "modelled"
    return "virtual" if virtual or row.get("software") else "measured"


def results_of(run, source, virtual=False):
    """Results of one Google Benchmark JSON document; `source` is the command that made it, behind the virtual NPU or not."""
    results = {}
    for row in run.get("benchmarks", []):
        if row.get("run_type") != "iteration" or row.get("error_occurred"):
            continue
        # Google Benchmark appends how it timed: /manual_time, /real_time, /iterations:N
        parts = [part for part in row["name"].split("/") if not part.endswith("_time") and ":" not in part]
        if len(parts) != 4 or parts[1] not in DEVICES:
            continue
        key = "/".join(parts)
        result = results.setdefault(key, {
            "key": key, "group": parts[0], "device": parts[1], "type": parts[2], "shape": parts[3],
            "basis": basis_of(row, virtual), "source": source, "seconds": [],
            **{name: row[name] for name in COUNTERS if row.get(name)}})
        result["seconds"].append(row["real_time"] * UNITS[row["time_unit"]])
        if row.get("joules"):
            result.setdefault("joules", []).append(row["joules"])
    return list(results.values())


def merge(results, more):
    """Adds the samples of another run of a program to `results`, by key."""
    for result in more:
        if result["key"] in results:
            for samples in ("seconds", "joules"):
                if samples in result:
                    results[result["key"]].setdefault(samples, []).extend(result[samples])
        else:
            results[result["key"]] = result


def use_modelled_times(run, stats):
    """Gives rows that have a counter `command`, a place in the commands of xdna-emu --stats, that command's modelled time."""
    for row in run.get("benchmarks", []):
        if "command" in row and not row.get("error_occurred"):
            cycles = stats["commands"][int(row["command"])]["cycles"]
            row |= {"modelled": 1, "time_unit": "s", "real_time": cycles / float(run["context"]["xdna_array_clock_Hz"])}


def failures_of(run):
    """(name, message) of each benchmark that failed or could not run."""
    return [(row["name"], row.get("error_message", "")) for row in run.get("benchmarks", []) if row.get("error_occurred")]


def check(report, name):
    """The report itself; BadInput where it is not one. `name` is for the message."""
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise BadInput(f"{name}: not a report of this version (schema {SCHEMA})")
    for index, result in enumerate(report.get("results") or []):
        missing = [field for field in ("key", "group", "device", "type", "shape", "basis", "seconds", "source")
                   if not result.get(field)]
        if missing:
            raise BadInput(f"{name}: results[{index}] has no {', '.join(missing)}")
        if not all(isinstance(s, (int, float)) and math.isfinite(s) and s > 0 for s in result["seconds"]):
            raise BadInput(f"{name}: results[{index}].seconds: {result['seconds']} are not times")
    return report


def median(result):
    """Seconds."""
    return statistics.median(result["seconds"])


def noise(result):
    """The spread of the samples, relative to their median; 0 where one was taken."""
    return (max(result["seconds"]) - min(result["seconds"])) / median(result)


def joules(result):
    """An operation's; None where no sensor told."""
    return statistics.median(result["joules"]) if "joules" in result else None


def rate(result):
    """Operations a second, two for a multiply-accumulate; None where none were counted."""
    return 2 * result["macs"] / median(result) if "macs" in result else None


def utilisation(result):
    """Share of the device's peak; None where it has none."""
    return result["macs"] / median(result) / result["peak"] if {"macs", "peak"} <= result.keys() else None


def bandwidth(result):
    """Bytes a second; None where none were counted."""
    return result["bytes"] / median(result) if "bytes" in result else None


def roofs(results):
    """(device, what, operations a second, bytes a second) of each roof that these results know.

    The NPU's are counters of its results; the others' are what their small kernels reached.
    """
    found = {}
    for result in results:
        if {"peak", "peak_bytes"} <= result.keys():
            found[result["device"], result["type"]] = (2 * result["peak"], result["peak_bytes"])
    roof = {(r["device"], r["shape"]): r for r in results if r["group"] == "roof"}
    for device in DEVICES:
        if {(device, "multiply_adds"), (device, "read")} <= roof.keys():
            lanes = roof[device, "multiply_adds"]
            found[device, lanes["type"]] = (rate(lanes), bandwidth(roof[device, "read"]))
    return [(device, what, *limits) for (device, what), limits in found.items()]


def size(result):
    """What a shape amounts to, for an axis: the product of its numbers."""
    numbers = [int(part) for part in result["shape"].replace("x", " ").split() if part.isdigit()]
    return math.prod(numbers) if numbers else None
