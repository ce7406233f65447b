"""Runs the benchmarks and writes the report: index.html and report.json.

  python3 bench/report [--build DIR] [--out DIR] [--quick] [--compare OLD.json] [--model MODEL.json]
  python3 bench/report --from REPORT.json [...]     only writes the page of results that exist

Where this machine has no NPU, the NPU's programs run behind xdna-emu and are labelled so. A program that
fails is named in the report, with its output, and the exit status is 1.
"""
import argparse
import json
import os
import sys
from collections import Counter

import compare
import page
import tokens
from answers import answers
from records import DEVICES, BadInput, check, median
from run import PROGRAMS, measure
from svg import engineering


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return check(json.load(file), path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: not JSON: {error}") from None


def shown(result):
    return f"{engineering(median(result), 's')} {result['type']}, {result['basis']}" if result else "-"


def print_tables(report, changes):
    for answer in answers(report):
        print(f"{answer['group']:<10}{answer['shape']:<16}" + "".join(f"{shown(answer[device]):<30}" for device in DEVICES))
    for change in changes or []:
        if change["verdict"] in ("slower", "faster"):
            print(f"{change['key']:<44} {engineering(change['old'], 's'):>10} {engineering(change['new'], 's'):>10}  "
                  f"{100 * change['change']:+.1f} %  {change['basis']}, {change['verdict']}")
    if changes is not None:
        counts = Counter(change["verdict"] for change in changes)
        print("of the results " + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


def main():
    parser = argparse.ArgumentParser(prog="bench/report", description="Runs the benchmarks and writes the report.")
    parser.add_argument("--build", default="build", help="where the programs are (build)")
    parser.add_argument("--out", default="build/report", help="folder of the report (build/report)")
    parser.add_argument("--quick", action="store_true", help="few and small shapes")
    parser.add_argument("--only", choices=[name for name, *_ in PROGRAMS], help="run this program alone")
    parser.add_argument("--rounds", type=int, help="how often each program is run: samples a result (3; quick: 2)")
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
            report = measure(options.build, options.quick, "make bench" + (" QUICK=1" if options.quick else ""),
                             options.rounds or (2 if options.quick else 3), options.only)
            check(report, "these results")
        if not report["results"]:
            raise BadInput("no benchmark gave a result: " + "; ".join(f"{name}: {why}" for name, *_, why in report["absent"] + report["failed"]))
        if model:
            report["tokens"] = tokens.estimate(report, model)
        changes = compare.changes_between(old, report) if old else None
        os.makedirs(options.out, exist_ok=True)
        for name, text in (("report.json", json.dumps(report, indent=1) + "\n"), ("index.html", page.render(report, changes, options.compare))):
            with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
                file.write(text)
    except (BadInput, OSError) as error:
        sys.exit(f"bench/report: {error}")
    print_tables(report, changes)
    print(os.path.join(options.out, "index.html"))
    for name, command, said in report["failed"]:
        print(f"bench/report: {name} failed: {command}: {said}", file=sys.stderr)
    sys.exit(bool(report["failed"]))


if __name__ == "__main__":
    main()
