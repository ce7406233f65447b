"""Charts as inline SVG: points and bars that carry the key and the value of the result they show."""
import math
from html import escape

WIDTH, HEIGHT = 580, 340
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 26, 46
NAMES = 130  # room for the lines' names, to the right of them
LINE = 13
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def engineering(value, unit=""):
    """1536 -> '1.54 k'; three digits."""
    if value == 0:
        return f"0 {unit}".strip()
    scale, prefix = next(((s, p) for s, p in PREFIXES if abs(value) >= s * 0.9995), PREFIXES[-1])
    return f"{value / scale:.3g} {prefix}{unit}".strip()


def binary(size):
    """65536 -> '64 KiB'; of powers of two."""
    power = min(int(math.log2(size) + 1e-9) // 10, 3)
    return f"{size / 1024 ** power:.3g} {('B', 'KiB', 'MiB', 'GiB')[power]}"


class Axis:
    """A logarithmic axis over `values`, from whole power of `base` to whole power."""

    def __init__(self, values, start, end, base=10):
        self.base = base
        self.low = math.floor(math.log(min(values), base) + 1e-9)
        self.high = max(math.ceil(math.log(max(values), base) - 1e-9), self.low + 1)
        self.start, self.end = start, end

    def at(self, value):
        share = (math.log(value, self.base) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        step = max(1, math.ceil((self.high - self.low) / 7))
        return [self.base ** power for power in range(self.low, self.high + 1, step)]


def frame(x, y, x_unit, y_unit, x_title, y_title):
    parts = []
    for tick in y.ticks():
        parts.append(f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{y.at(tick):.1f}" y2="{y.at(tick):.1f}"/>'
                     f'<text class="tick" x="{LEFT - 6}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{engineering(tick, y_unit)}</text>')
    for tick in x.ticks():
        shown = binary(tick) if x_unit == "B" else engineering(tick, x_unit) if tick >= 1e5 else f"{tick:g}"
        parts.append(f'<line class="grid" x1="{x.at(tick):.1f}" x2="{x.at(tick):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
                     f'<text class="tick" x="{x.at(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{shown}</text>')
    parts.append(f'<text class="title" x="{(x.start + x.end) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text class="title" x="{LEFT}" y="{TOP - 12}">{escape(y_title)}</text>')
    return "".join(parts)


def names(labels, x):
    """labels: [(css class, text, y)], beside the points that they belong to, pushed apart where they would overlap."""
    parts, at = [], TOP - LINE
    labels = sorted(labels, key=lambda label: label[2])
    for i, (css, text, y) in enumerate(labels):
        lowest = HEIGHT - BOTTOM - (len(labels) - 1 - i) * LINE
        at = max(at + LINE, min(y, lowest))
        parts.append(f'<text class="name {css}" x="{x}" y="{at + 4:.1f}">{escape(text)}</text>')
    return "".join(parts)


def wrap(body, label, height=HEIGHT):
    return (f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label, quote=True)}">{body}</svg>')


def mark(result, x, y, value, text):
    """One point. Modelled ones are hollow."""
    return (f'<circle class="{result["device"]} {result["basis"]}" cx="{x:.1f}" cy="{y:.1f}" r="4.5" '
            f'data-key="{escape(result["key"], quote=True)}" data-value="{value!r}"><title>{escape(text)}</title></circle>')


def lines(series, label, x_title, y_title, x_unit, y_unit):
    """series: [(name, css class, [(x, y, result)])], both axes logarithmic."""
    points = [point for _, _, some in series for point in some]
    x = Axis([p[0] for p in points], LEFT, WIDTH - NAMES, base=2)
    y = Axis([p[1] for p in points], HEIGHT - BOTTOM, TOP)
    parts = [frame(x, y, x_unit, y_unit, x_title, y_title)]
    for name, css, some in series:
        some = sorted(some, key=lambda p: p[0])
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b, _ in some)
        parts.append(f'<polyline class="{css}" points="{path}"/>')
        for a, b, result in some:
            parts.append(mark(result, x.at(a), y.at(b), b, f"{name}, {result['shape']}: {engineering(b, y_unit)}, {result['basis']}"))
    ends = [(css, name, y.at(max(some, key=lambda p: p[0])[1])) for name, css, some in series]
    return wrap("".join(parts) + names(ends, WIDTH - NAMES + 10), label)


def roofline(roofs, points, label):
    """roofs: [(css class, name, peak operations a second, bytes a second)]; points: [(operations a byte, rate, result)]."""
    xs = [p[0] for p in points] + [peak / bytes_a_second for _, _, peak, bytes_a_second in roofs]
    xs = [min(xs) / 4, max(xs) * 4]
    ys = [p[1] for p in points] + [peak for _, _, peak, _ in roofs]
    x, y = Axis(xs, LEFT, WIDTH - NAMES, base=2), Axis([min(ys) / 4, max(ys)], HEIGHT - BOTTOM, TOP)
    parts = [frame(x, y, "", "op/s", "operations a byte of memory traffic", "operations a second")]
    floor, ends = 10.0 ** y.low, []
    for css, name, peak, bytes_a_second in roofs:
        left = max(2.0 ** x.low, floor / bytes_a_second)
        knee = peak / bytes_a_second
        corners = [(left, left * bytes_a_second), (knee, peak), (2.0 ** x.high, peak)]
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in corners)
        parts.append(f'<polyline class="{css} roof" points="{path}"><title>{escape(name)}</title></polyline>')
        ends.append((css, name.split(":")[0], y.at(peak)))
    for a, b, result in points:
        parts.append(mark(result, x.at(a), y.at(b), b, f"{result['key']}: {engineering(b, 'op/s')}, {result['basis']}"))
    return wrap("".join(parts) + names(ends, WIDTH - NAMES + 10), label)


def bars(rows, label, unit, limit=None):
    """rows: [(text, value, result)], horizontal; `limit` is the end of the axis, else the largest value."""
    limit = limit or max(value for _, value, _ in rows)
    left, step = 246, 22
    parts = []
    for i, (text, value, result) in enumerate(rows):
        top = 6 + i * step
        width = max(1.0, (WIDTH - left - 74) * value / limit)
        shown = f"{100 * value:.1f} %" if unit == "%" else engineering(value, unit)
        parts.append(f'<text class="row" x="{left - 8}" y="{top + 12}" text-anchor="end">{escape(text)}</text>'
                     f'<rect class="{result["device"]} {result["basis"]}" x="{left}" y="{top}" width="{width:.1f}" height="{step - 7}" '
                     f'data-key="{escape(result["key"], quote=True)}" data-value="{value!r}"><title>{escape(text)}: {shown}, {result["basis"]}</title></rect>'
                     f'<text class="row" x="{left + width + 6:.1f}" y="{top + 12}">{shown}</text>')
    return wrap("".join(parts), label, height=12 + len(rows) * step)
