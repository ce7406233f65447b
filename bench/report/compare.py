"""Two reports: what changed beyond noise."""
from records import median, noise

# Clocks and caches move a lone sample by a few percent; smaller changes are never called changes.
LEAST = 0.03


def changes_between(old, new):
    """One row a result that either has, with 'slower', 'faster', 'same', 'new' or 'gone'."""
    before = {r["key"]: r for r in old["results"]}
    rows = []
    for result in new["results"]:
        then = before.pop(result["key"], None)
        if then is None or then["basis"] != result["basis"]:
            rows.append(row(result["key"], result, result, "new" if then is None else f"was {then['basis']}"))
            continue
        change = median(result) / median(then) - 1
        # Cycles of a model repeat exactly: any change is one.
        limit = 0 if result["basis"] == "modelled" else max(LEAST, noise(result) + noise(then))
        rows.append(row(result["key"], then, result, "same" if abs(change) <= limit else "slower" if change > 0 else "faster"))
    return rows + [row(key, then, then, "gone") for key, then in before.items()]


def row(key, then, now, verdict):
    return {"key": key, "basis": now["basis"], "old": median(then), "new": median(now), "change": median(now) / median(then) - 1,
            "noise": noise(then) + noise(now), "verdict": verdict}
