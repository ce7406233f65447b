"""Which device, for each shape that several have: the question that the report is for."""
from records import DEVICES, median

GROUPS = ("matmul", "matvec", "attention")


def answers(report):
    """One row a shape: the fastest result of each device, and the fastest of those that are of hardware or its model."""
    shapes = {}
    for result in report["results"]:
        if result["group"] in GROUPS:
            shapes.setdefault((result["group"], result["shape"]), []).append(result)
    rows = []
    for (group, shape), results in sorted(shapes.items(), key=lambda item: (GROUPS.index(item[0][0]), item[1][0].get("macs", 0))):
        best = {device: min((r for r in results if r["device"] == device), key=median, default=None) for device in DEVICES}
        counted = [r for r in best.values() if r and r["basis"] != "virtual"]
        fastest = min(counted, key=median, default=None)
        rows.append({"group": group, "shape": shape, **best, "fastest": fastest["device"] if fastest and len(counted) > 1 else None})
    return rows
