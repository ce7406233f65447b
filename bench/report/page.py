"""The report's page: one HTML file with nothing outside it."""
import json
from html import escape

import svg
from answers import answers
from records import DEVICES, bandwidth, joules, median, noise, rate, roofs, size, utilisation

STYLE = """
:root { --ink:#1c2024; --soft:#60666d; --rule:#d9dde1; --paper:#fff; --panel:#f6f7f8; --npu:#c2410c; --gpu:#15803d; --cpu:#1d4ed8 }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e8eaed; --soft:#9aa1a9; --rule:#363b41; --paper:#15181b; --panel:#1d2125; --npu:#fb923c; --gpu:#4ade80; --cpu:#7aa5ff } }
* { box-sizing: border-box }
body { margin:0 auto; max-width:1120px; padding:24px 20px 60px; color:var(--ink); background:var(--paper);
  font:15px/1.5 system-ui, sans-serif }
h1 { font-size:26px; margin:0 0 4px } h2 { font-size:18px; margin:36px 0 8px }
p, dl { color:var(--soft); margin:4px 0 12px; max-width:75ch }
.charts { display:grid; grid-template-columns:repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap:16px; align-items:start }
figure { margin:0; padding:12px; background:var(--panel); border-radius:8px; min-width:0 }
figcaption { font-weight:600; margin-bottom:6px } figcaption span { font-weight:400; color:var(--soft) }
figure div { overflow-x:auto }
svg { width:100%; min-width:380px; height:auto; display:block; font:12px system-ui, sans-serif }
svg text { fill:var(--ink); stroke:none } svg .tick, svg .title { fill:var(--soft) }
.grid { stroke:var(--rule) } polyline { fill:none; stroke-width:1.5 } .roof { stroke-dasharray:5 4 }
.npu { fill:var(--npu); stroke:var(--npu) } .gpu { fill:var(--gpu); stroke:var(--gpu) } .cpu { fill:var(--cpu); stroke:var(--cpu) }
svg text.name { stroke:none } svg .name.npu { fill:var(--npu) } svg .name.gpu { fill:var(--gpu) } svg .name.cpu { fill:var(--cpu) }
polyline.npu, polyline.gpu, polyline.cpu { fill:none } circle.modelled { fill:var(--panel); stroke-width:2 } circle.virtual, rect.virtual { stroke:var(--soft); fill-opacity:.5; stroke-width:2 }
rect.modelled { fill-opacity:.25; stroke-dasharray:3 2 }
.key { margin:0 3px 0 14px }
.table { overflow-x:auto } table { border-collapse:collapse; font-size:13px; width:100% }
th, td { text-align:left; padding:4px 10px 4px 0; border-bottom:1px solid var(--rule); white-space:nowrap }
.wrap td:last-child { white-space:normal; min-width:22em }
td span { color:var(--soft) } td.n, th.n { text-align:right; font-variant-numeric:tabular-nums } .modelled-text { font-style:italic }
a { color:inherit } .failed { color:#b91c1c } pre { overflow-x:auto; font-size:13px } li { overflow-wrap:anywhere } li code { font-size:12px }
"""

NAMES = {"npu": "NPU", "gpu": "GPU", "cpu": "CPU"}


def length(result):
    """The first number of a shape."""
    return int(result["shape"].split("x")[0])


def series_of(results, value, along):
    """One line a device and type."""
    groups = {}
    for result in results:
        if value(result) is not None and along(result):
            groups.setdefault((result["device"], result["type"]), []).append((along(result), value(result), result))
    return [(f"{NAMES[device]} {kind.replace('_', ' ')}", device, points) for (device, kind), points in sorted(groups.items())]


def lines_of(results, value, label, x_title, y_title, x_unit, y_unit, along=size):
    series = series_of(results, value, along)
    return svg.lines(series, label, x_title, y_title, x_unit, y_unit) if series else None


def bars_of(results, value, label, unit, limit=None):
    rows = [(f"{NAMES[r['device']]} {r['group']} {r['type']} {r['shape']}", value(r), r) for r in results if value(r) is not None]
    return svg.bars(rows, label, unit, limit) if rows else None


def roofline_of(report):
    results = [r for r in report["results"] if "macs" in r and "bytes" in r]
    lines = [(device, f"{NAMES[device]} {what}: {svg.engineering(ops, 'op/s')}, {svg.engineering(limit, 'B/s')}", ops, limit)
             for device, what, ops, limit in roofs(report["results"])]
    points = [(2 * r["macs"] / r["bytes"], rate(r), r) for r in results]
    return svg.roofline(lines, points, "Roofline") if points else None


def group(report, *names):
    return [r for r in report["results"] if r["group"] in names]


# Title, what it says, drawing; a chart without results is left out and said to be.
CHARTS = (
    ("Set-up", "opening the device; making, configuring a context",
     lambda r: bars_of(group(r, "setup"), median, "Set-up", "s")),
    ("Latency of a command", "submit and wait, by how it is submitted",
     lambda r: bars_of(group(r, "submit"), median, "Latency of a command", "s")),
    ("BOs", "create, map and destroy; export as a dma-buf; by size",
     lambda r: lines_of(group(r, "bo"), median, "BO time by size", "size", "time", "B", "s")),
    ("Copy and sync", "bandwidth by size",
     lambda r: lines_of(group(r, "copy", "sync"), bandwidth, "Bandwidth by size", "size", "bandwidth", "B", "B/s")),
    ("Hand-over", "from the NPU's BO to the end of a GPU product of its bytes; there: nothing to hand over",
     lambda r: lines_of(group(r, "handover"), median, "Hand-over time by size", "size", "time", "B", "s")),
    ("Matrix multiplication", "throughput by M x N x K",
     lambda r: lines_of(group(r, "matmul"), rate, "Matmul throughput by shape",
                        "multiply-accumulates: M x N x K", "operations a second", "", "op/s")),
    ("Matrix times vector", "throughput by N x K: a decoded token's products",
     lambda r: lines_of(group(r, "matvec"), rate, "Matvec throughput by shape", "multiply-accumulates: N x K", "operations a second", "", "op/s")),
    ("Attention", "time by sequence length, head size 64, 8 heads",
     lambda r: lines_of(group(r, "attention"), median, "Attention time by length", "sequence length", "time", "", "s", length)),
    ("Roofline", "dashed: the most a device could do; NPU: its data sheet at the clock it reports; CPU, GPU: what small f32 kernels "
     "reached here (int8 and matrix units: unknown)", roofline_of),
    ("Utilisation", "share of the device's peak, whole command",
     lambda r: bars_of(r["results"], utilisation, "Utilisation", "%", 1.0)),
    ("Energy", "joules an operation, idle power included",
     lambda r: bars_of(r["results"], joules, "Energy", "J")),
)


def figure(title, text, drawing):
    return f"<figure><figcaption>{escape(title)} <span>{escape(text)}</span></figcaption><div>{drawing}</div></figure>"


def table(head, rows, wrap=False):
    """head: names, numeric ones end with '#'. wrap: whether the last column may take several lines."""
    numeric = [name.endswith("#") for name in head]

    def cells(tag, row):
        return "".join(f'<{tag} class="n">{cell}</{tag}>' if n else f"<{tag}>{cell}</{tag}>" for cell, n in zip(row, numeric))

    return (f'<div class="table"><table class="{"wrap" if wrap else ""}"><thead><tr>' + cells("th", [escape(h.rstrip("#")) for h in head]) + "</tr></thead><tbody>"
            + "".join(f"<tr>{cells('td', row)}</tr>" for row in rows) + "</tbody></table></div>")


def result_rows(report):
    for r in report["results"]:
        yield (escape(r["key"]), f'<span class="{r["basis"]}-text">{r["basis"]}</span>', svg.engineering(median(r), "s"),
               f"{100 * noise(r):.1f} %" if len(r["seconds"]) > 1 else "one sample",
               svg.engineering(rate(r), "op/s") if rate(r) else "", f"{100 * utilisation(r):.1f} %" if utilisation(r) else "",
               svg.engineering(bandwidth(r), "B/s") if bandwidth(r) else "", f"<code>{escape(r['source'])}</code>")


def token_section(tokens):
    if not tokens:
        return ""

    def shown(value):
        return "no figure" if not value else f"{value:.0f}" if value >= 100 else f"{value:.3g}"

    def share(w):
        return " to ".join(f"{100 * part:.2g} %" for part in reversed(w["of_seeds"])) if w["of_seeds"] else ""

    rows = [(escape(w["name"]), shown(w["prompt"]), shown(w["decode"]), share(w), escape(w["rests_on"])) for w in tokens["estimates"]]
    rows.append(("<em>memory's limit</em>", "", shown(tokens["memory_limit"]), "", escape(tokens["memory_says"])))
    rows += [(f"<em>the seeds: {'GPU alone' if of == 'gpu' else 'NPU and GPU'}</em>", "", f"{low} to {high}", "", escape(tokens["seeds_say"]))
             for of, (low, high) in tokens["seeds"].items()]
    return (f"<h2>Tokens a second: {escape(tokens['model'])}</h2><p>{escape(tokens['note'])}</p>"
            + table(("way", "prompt #", "decode #", "of the seeds #", "rests on"), rows, wrap=True))


def failed_section(failed):
    return "".join(f"<h2 class=\"failed\">Failed: {escape(name)}</h2><p><code>{escape(command)}</code></p><pre>{escape(said)}</pre>"
                   for name, command, said in failed)


def absent_section(absent):
    """What has no figure, by reason."""
    reasons = {}
    for name, why in absent:
        reasons.setdefault(why, []).append(name.removesuffix("/manual_time").removesuffix("/real_time"))
    items = "".join(f"<li>{escape(why)}: {', '.join(f'<code>{escape(name)}</code>' for name in names)}</li>" for why, names in reasons.items())
    return f"<h2>Not measured</h2><ul>{items}</ul>" if items else ""


def answers_section(report):
    """Each device's fastest for a shape; a program that stands in for a device does not compete."""
    def cell(result, fastest):
        if not result:
            return ""
        text = f"{svg.engineering(median(result), 's')} <span>{escape(result['type'])}, {result['basis']}</span>"
        return f"<strong>{text}</strong>" if fastest else text

    rows = [(a["group"], escape(a["shape"]), *(cell(a[d], a["fastest"] == d) for d in DEVICES)) for a in answers(report)]
    return ("<h2>Which device</h2><p>The fastest type of each; bold: the fastest device, where two or more have a figure that is not virtual.</p>"
            + table(("what", "shape", *(NAMES[d] for d in DEVICES)), rows)) if rows else ""


def compare_section(changes, old):
    if changes is None:
        return ""
    rows = [(escape(c["key"]), svg.engineering(c["old"], "s"), svg.engineering(c["new"], "s"), f"{100 * c['change']:+.1f} %",
             f"{100 * c['noise']:.1f} %", escape(c["verdict"])) for c in changes]
    return f"<h2>Compared with {escape(old)}</h2>" + table(("result", "then #", "now #", "change #", "noise #", "verdict"), rows)


def render(report, changes=None, old=None):
    """The page as text."""
    figures, missing = [], []
    for title, text, draw in CHARTS:
        drawing = draw(report)
        if drawing:
            figures.append(figure(title, text, drawing))
        else:
            missing.append(title)
    facts = [(escape(name), escape(str(value))) for name, value in report["machine"].items()]
    raw = json.dumps(report, indent=1).replace("</", "<\\/")
    legend = "".join(f'<span class="key" style="color:var(--{d})">&#9632;</span>{NAMES[d]}' for d in DEVICES)
    bases = sorted({r["basis"] for r in report["results"]})
    said = {"modelled": "Hollow points and pale bars are <em>modelled</em>: the simulator's cycles over the clock it models, not wall time.",
            "virtual": "Grey-rimmed points and bars are <em>virtual</em>: wall time where a program stands in for the device, the virtual NPU or Vulkan on the CPU; they say nothing of hardware.",
            "measured": "Solid ones are measured: wall time on the device named here."}
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
            f"<title>NPU, GPU and CPU: {escape(report['machine'].get('host', 'benchmarks'))}</title>"
            "<link rel=\"icon\" href=\"data:,\">"
            f"<style>{STYLE}</style></head><body><h1>NPU against GPU against CPU</h1>"
            f"<p>{escape(report['date'])}, <code>{escape(report['command'])}</code>. {' '.join(said[b] for b in bases)}</p><p>{legend}</p>"
            + failed_section(report["failed"]) + answers_section(report)
            + f"<h2>Charts</h2><div class=\"charts\">{''.join(figures)}</div>"
            + (f"<p>Without results here: {escape(', '.join(missing))}.</p>" if missing else "")
            + token_section(report.get("tokens")) + compare_section(changes, old)
            + "<h2>Machine</h2>" + table(("what", "here"), facts)
            + absent_section(report["absent"])
            + "<h2>Results</h2>" + table(("result", "basis", "median #", "± #", "rate #", "of peak #", "bandwidth #", "made by"), result_rows(report))
            + "<p><a id=\"raw\" download=\"report.json\" href=\"#\">report.json</a>, as this page holds it.</p>"
            f"<script type=\"application/json\" id=\"report\">{raw}</script>"
            "<script>const raw = document.getElementById('report').textContent.replaceAll('<\\\\/', '</');"
            "document.getElementById('raw').href = URL.createObjectURL(new Blob([raw], {type: 'application/json'}));</script>"
            "</body></html>\n")
