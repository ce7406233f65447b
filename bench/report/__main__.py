"""Runs the benchmarks and writes the report: index.html and report.json.

  python3 bench/report [--build DIR] [--out DIR] [--quick] [--compare OLD.json] [--model MODEL.json]
  python3 bench/report --from REPORT.json [...]     only writes the page of results that exist

Where this machine has no NPU, the NPU's programs run behind xdna-emu and are labelled so.
"""
import argparse
import datetime
import glob
import json
import os
import platform
import subprocess
import sys
import tempfile

import compare
import page
import tokens
from records import SCHEMA, BadInput, check, failures_of, median, rate, results_of, use_modelled_times
from svg import engineering

# Program below build/bench, whether it uses an NPU, flags of a quick run.
PROGRAMS = (
    ("xdna", True, ["--benchmark_filter=^submit/|/4096$|/1048576$", "--benchmark_min_time=0.02"]),
    ("npu", True, ["--benchmark_filter=/4096|256x|/1x"]),
    ("cpu", False, ["--benchmark_filter=256x|/1x", "--benchmark_min_time=0.02"]),
    ("gpu", False, ["--benchmark_filter=256x|/1x", "--benchmark_min_time=0.02"]),
)
SENSORS = (("CPU energy (RAPL)", "/sys/class/powercap/intel-rapl:0/energy_uj"),
           ("GPU power (amdgpu)", "/sys/class/drm/card*/device/hwmon/hwmon*/power1_average"),
           ("NPU power", "/sys/class/accel/accel0/device/power_sensor"))


def first_line(path, default="unknown"):
    try:
        with open(path, encoding="utf-8") as file:
            return next((line.strip() for line in file), default)
    except OSError:
        return default


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    except OSError:
        return platform.machine()


def command_output(command, default):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return default


def has_npu():
    return bool(glob.glob("/dev/accel/accel*"))


def machine():
    return {"host": platform.node(), "CPU": cpu_model(), "cores": os.cpu_count(), "kernel": platform.release(),
            "NPU": "hardware" if has_npu() else "the virtual NPU (xdna-emu): no hardware here",
            "commit": command_output(["git", "describe", "--always", "--dirty"], "unknown")}


def run(build, name, needs_npu, flags, repetitions):
    """(results, failures, context), or a reason in words why there are none."""
    program = os.path.join(build, "bench", name)
    if not os.path.exists(program):
        return "not built here"
    virtual = needs_npu and not has_npu()
    source = " ".join([*(["build/bin/xdna-emu", "--"] if virtual else []), f"build/bench/{name}", *flags])
    if virtual and name == "npu":  # cycles repeat exactly
        flags, repetitions = [*flags, "--benchmark_min_time=0.001"], 1
    with tempfile.TemporaryDirectory() as scratch:
        out, stats = os.path.join(scratch, "out.json"), os.path.join(scratch, "stats.json")
        behind = [os.path.join(build, "bin", "xdna-emu"), "--stats", stats, "--"] if virtual else []
        command = [*behind, program, *flags, f"--benchmark_repetitions={repetitions}", "--benchmark_out_format=json",
                   f"--benchmark_out={out}"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode == 77:
            return (done.stderr.strip().splitlines() or ["nothing to measure here"])[-1]
        try:
            with open(out, encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError):
            document = {}
        if done.returncode != 0 or not document:
            raise BadInput(f"{source}: exit {done.returncode}: {(done.stderr.strip().splitlines() or ['no output'])[-1]}")
        if virtual:
            with open(stats, encoding="utf-8") as file:
                use_modelled_times(document, json.load(file))
    results = results_of(document, source)
    for result in results:
        if virtual and result["basis"] == "measured":
            result["basis"] = "virtual"
    return results, failures_of(document), document.get("context", {})


def measure(build, quick, command):
    report = {"schema": SCHEMA, "date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"), "command": command,
              "machine": machine(), "devices": {}, "results": [], "absent": []}
    for name, needs_npu, quick_flags in PROGRAMS:
        print(f"bench/{name}", file=sys.stderr, flush=True)
        outcome = run(build, name, needs_npu, quick_flags if quick else [], 2 if quick else 3)
        if isinstance(outcome, str):
            report["absent"].append([f"bench/{name}", outcome])
            continue
        results, failures, context = outcome
        report["results"] += results
        report["absent"] += [[name, why] for name, why in failures]
        report["machine"] |= {key.removeprefix("xdna_"): value for key, value in context.items() if key.startswith("xdna_")}
    report["absent"] += [[name, f"no {path}"] for name, path in SENSORS if not glob.glob(path)]
    return report


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return check(json.load(file), path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: not JSON: {error}") from None


def print_table(report, changes):
    verdicts = {change["key"]: change for change in changes or []}
    for result in report["results"]:
        change = verdicts.get(result["key"])
        said = f"  {change['verdict']} {100 * change['change']:+.1f} %" if change else ""
        speed = engineering(rate(result), "op/s") if rate(result) else ""
        print(f"{result['key']:<44} {engineering(median(result), 's'):>10} {speed:>14}  {result['basis']}{said}")


def main():
    parser = argparse.ArgumentParser(prog="bench/report", description="Runs the benchmarks and writes the report.")
    parser.add_argument("--build", default="build", help="where the programs are (build)")
    parser.add_argument("--out", default="build/report", help="folder of the report (build/report)")
    parser.add_argument("--quick", action="store_true", help="few and small shapes")
    parser.add_argument("--from", dest="source", metavar="REPORT.json", help="take the results from here, run nothing")
    parser.add_argument("--compare", metavar="OLD.json", help="an earlier report.json: says what changed beyond noise")
    parser.add_argument("--model", metavar="MODEL.json", help="estimate tokens a second for this model's shape")
    options = parser.parse_args()
    try:
        old = load(options.compare) if options.compare else None
        model = tokens.load(options.model) if options.model else None
        if options.source:
            report = load(options.source)
        else:
            report = measure(options.build, options.quick, "make bench" + (" QUICK=1" if options.quick else ""))
            check(report, "these results")
        if not report["results"]:
            raise BadInput("no benchmark gave a result: " + "; ".join(f"{name}: {why}" for name, why in report["absent"]))
        if model:
            report["tokens"] = tokens.estimate(report, model)
        changes = compare.changes_between(old, report) if old else None
        os.makedirs(options.out, exist_ok=True)
        for name, text in (("report.json", json.dumps(report, indent=1) + "\n"), ("index.html", page.render(report, changes, options.compare))):
            with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
                file.write(text)
    except (BadInput, OSError) as error:
        sys.exit(f"bench/report: {error}")
    print_table(report, changes)
    print(os.path.join(options.out, "index.html"))


if __name__ == "__main__":
    main()
