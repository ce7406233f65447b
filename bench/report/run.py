"""Runs the benchmark programs, and says on which machine."""
import datetime
import glob
import json
import os
import platform
import subprocess
import sys
import tempfile

from records import SCHEMA, failures_of, merge, results_of, use_modelled_times

# Program below build/bench, whether it uses an NPU, flags of a full run, flags of a quick one.
PROGRAMS = (
    ("xdna", True, ["--benchmark_min_time=0.1"],
     ["--benchmark_filter=^setup/|^submit/|/4096$|/4096/|/1048576$|/1048576/", "--benchmark_min_time=0.02"]),
    ("npu", True, [], ["--benchmark_filter=/4096$|/4096/|256x|/1x1024"]),
    ("handover", True, ["--benchmark_min_time=0.1"], ["--benchmark_filter=/65536/|/1048576/", "--benchmark_min_time=0.02"]),
    ("cpu", False, ["--benchmark_min_time=0.2"], ["--benchmark_filter=roof|256x|/1x1024", "--benchmark_min_time=0.02"]),
    ("gpu", False, ["--benchmark_min_time=0.2"], ["--benchmark_filter=roof|256x|/1x1024", "--benchmark_min_time=0.02"]),
)
NOTHING_TO_MEASURE = 77


class Failed(Exception):
    """A program that ended badly: the command, then what it had to say."""


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
            "load before": f"{os.getloadavg()[0]:.1f}",
            "NPU": "hardware" if has_npu() else "the virtual NPU (xdna-emu): no hardware here",
            "commit": command_output(["git", "describe", "--always", "--dirty"], "unknown")}


def last_line(text):
    return (text.strip().splitlines() or ["no output"])[-1]


def run(build, name, virtual, flags):
    """Google Benchmark's document and the command that made it; a text where there was nothing to measure."""
    program = os.path.join(build, "bench", name)
    if not os.path.exists(program):
        return "not built here", program
    # A simulation on a busy machine may take longer than a driver waits for hardware.
    emulator = [os.path.join(build, "bin", "xdna-emu"), "--parameter", "tdr_timeout_ms=0"] if virtual else []
    source = " ".join([*emulator, *(["--"] if virtual else []), program, *flags])
    with tempfile.TemporaryDirectory() as scratch:
        out, stats = os.path.join(scratch, "out.json"), os.path.join(scratch, "stats.json")
        command = [*emulator, *(["--stats", stats, "--"] if virtual else []), program, *flags, "--benchmark_out_format=json",
                   f"--benchmark_out={out}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode == NOTHING_TO_MEASURE:
            return last_line(done.stderr), source
        try:
            with open(out, encoding="utf-8") as file:
                document = json.load(file)
            if virtual:
                with open(stats, encoding="utf-8") as file:
                    use_modelled_times(document, json.load(file))
        except (OSError, ValueError):
            document = None
        if done.returncode != 0 or document is None:
            raise Failed(source, "\n".join([f"exit {done.returncode}", *done.stderr.strip().splitlines()[-20:]]))
    return document, source


def measure(build, quick, command, rounds, only=None):
    """A report, of one program where `only` names it. Each program is run `rounds` times, all in turn, so that the samples of a result lie apart in time."""
    report = {"schema": SCHEMA, "date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"), "command": command,
              "machine": machine(), "results": [], "absent": [], "failed": []}
    results, absent, ended = {}, {}, set()
    for turn in range(rounds):
        for name, needs_npu, full_flags, quick_flags in PROGRAMS:
            virtual = needs_npu and not has_npu()
            flags = quick_flags if quick else full_flags
            if virtual and name == "npu":  # a model's cycles: the same every time
                if turn > 0:
                    continue
                flags = [*flags, "--benchmark_min_time=0.001"]
            if name in ended or only not in (None, name):
                continue
            print(f"bench/{name}, round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
            try:
                document, source = run(build, name, virtual, flags)
            except Failed as failure:
                report["failed"].append([f"bench/{name}", *failure.args])
                ended.add(name)
                continue
            if isinstance(document, str):
                absent[f"bench/{name}"] = document
                ended.add(name)
                continue
            merge(results, results_of(document, source, virtual))
            absent |= dict(failures_of(document))
            for key, value in document.get("context", {}).items():
                if key.startswith("xdna_"):
                    report["machine"][key.removeprefix("xdna_")] = value
                elif key.startswith("absent_"):
                    absent[key.removeprefix("absent_")] = f"not present on this machine: {value}"
    report["results"] = list(results.values())
    report["absent"] = [[name, why] for name, why in absent.items()]
    return report
