# SPDX-License-Identifier: Apache-2.0
"""The tables: every engine's time, ferry's speed-up over the best other one, and what a user notices besides speed."""
import statistics

TITLES = {"fp32": "FP32", "bf16": "BF16", "int8": "INT8"}
LEAST_FP32_COSINE = 0.999
ALLOWED_COSINE_LOSS = 0.001


def least_cosine(cell):
    return min(cell["cosines"]) if cell["cosines"] else None


def mean_cosine(cell):
    return statistics.mean(cell["cosines"]) if cell["cosines"] else None


def reject_reason(cell):
    """Why a cell's time is no time of this model, or None."""
    if cell["cosines"] == []:
        return "its output has another size"
    if cell["precision"] == "fp32" and cell["cosines"] and not least_cosine(cell) >= LEAST_FP32_COSINE:
        return "FP32, and a cosine of %.4f to ONNX Runtime" % least_cosine(cell)
    return None


class Report:
    def __init__(self, results):
        self.results, self.lines = results, []
        kept = [c for c in results["cells"] if not reject_reason(c)]
        self.cells = {(c["model"], c["precision"], c["threads"], c["engine"]): c for c in kept}
        self.models = list(dict.fromkeys(c["model"] for c in results["cells"]))
        self.engines = [e for e in dict.fromkeys(c["engine"] for c in results["cells"]) if e != "ferry"]

    def add(self, *cells):
        self.lines.append("| " + " | ".join(cells) + " |")

    def head(self, *titles):
        self.add(*titles)
        self.lines.append("|---" + "|---:" * (len(titles) - 1) + "|")

    def time(self, cell, best):
        if not cell:
            return "-"
        text = "%.2f" % cell["p25_ms"]
        return ("**%s**" % text if cell is best else text) + (" ~" if cell["disturbed"] else "")

    def share_of_peak(self, cell, precision, threads, model):
        known = self.cells.get((model, "fp32", threads, "ferry")) or cell
        total = sum((known.get("macs") or {}).values())
        peak = self.results["peak"].get(str(threads), {}).get(precision)
        return "%.0f %%" % (100 * 2e-6 * total / peak / cell["p25_ms"]) if total and peak else "-"

    def precision_table(self, precision, threads):
        rows = [m for m in self.models if any((m, precision, threads, e) in self.cells
                                              for e in self.engines + ["ferry"])]
        if not rows:
            return
        self.lines += ["", "## %s, %d thread%s" % (TITLES[precision], threads, "s" * (threads > 1)), ""]
        extra = ["MACs in INT8; the rest"] if precision == "int8" else []
        self.head("model", *self.engines, "ferry", "speed-up", "of peak", "cosine (best peer's)", *extra)
        ratios = []
        for name in rows:
            peers = [self.cells.get((name, precision, threads, e)) for e in self.engines]
            own = self.cells.get((name, precision, threads, "ferry"))
            best = min((p for p in peers if p), key=lambda c: c["p25_ms"], default=None)
            ratio = best["p25_ms"] / own["p25_ms"] if own and best else None
            ratios += [ratio] if ratio else []
            self.add(name, *(self.time(p, best) for p in peers), self.time(own, None),
                     "%.2f" % ratio if ratio else "-",
                     self.share_of_peak(own, precision, threads, name) if own else "-", self.likeness(own, best),
                     *([int8_share(own)] if extra else []))
        if ratios:
            self.lines += ["", "Geometric mean of the speed-ups: **%.2f**; the least: %.2f." % (
                statistics.geometric_mean(ratios), min(ratios))]

    def likeness(self, own, best):
        """Mean cosine to FP32, and the fastest peer's; marked where ferry's is lower by more than is allowed."""
        mine, other = own and mean_cosine(own), best and mean_cosine(best)
        if mine is None:
            return "-"
        if other is None:
            return "%.4f" % mine
        return "%.4f (%.4f)%s" % (mine, other, " !" if mine < other - ALLOWED_COSINE_LOSS else "")

    def user_table(self, precision):
        rows = [m for m in self.models if (m, precision, 1, "ferry") in self.cells]
        if not rows:
            return
        self.lines += ["", "## Loading and memory, %s, one thread" % TITLES[precision], "",
                       "Each: milliseconds from file to ready; of the first run; peak memory in MB, less what the "
                       "process held before.", ""]
        self.head("model", *self.engines, "ferry", "memory against the leanest")
        for name in rows:
            cells = [self.cells.get((name, precision, 1, e)) for e in self.engines + ["ferry"]]
            others = [memory_mb(c) for c in cells[:-1] if c]
            self.add(name, *("%.1f; %.1f; %.0f" % (c["load_ms"], c["first_ms"], memory_mb(c)) if c else "-"
                             for c in cells), "%.2f" % (memory_mb(cells[-1]) / min(others)) if others else "-")

    def checks(self):
        self.lines += ["", "## Left out", ""]
        for cell in self.results["cells"]:
            reason = reject_reason(cell)
            if reason:
                self.lines.append("- %s, %s %s, %d thread(s): %s" % (cell["model"], cell["engine"], cell["precision"],
                                                                     cell["threads"], reason))
            elif cell["cpu_per_wall"] > cell["threads"] + 0.1:
                self.lines.append("- %s, %s %s: uses %.2f processors for %d thread(s); its time stands" % (
                    cell["model"], cell["engine"], cell["precision"], cell["cpu_per_wall"], cell["threads"]))
        reasons = {}
        for s in self.results["skipped"]:
            reasons.setdefault((s["engine"], s["precision"], s["why"]), []).append(s["model"])
        for (engine, precision, why), models in sorted(reasons.items()):
            names = list(dict.fromkeys(models))
            which = "every model" if len(names) == len(self.models) else ", ".join(names)
            self.lines.append("- %s %s: %s (%s)" % (engine, precision, why.replace("\n", " "), which))

    def header(self):
        r = self.results
        machine = r.get("machine", {})
        self.lines += ["# CPU inference, milliseconds, batch 1", "",
                       "%s; %s%s; %s." % (r.get("date", "?"), machine.get("processor", "?"),
                                          ", virtual" if machine.get("virtual") else "",
                                          ", ".join("%s %s" % v for v in r.get("versions", {}).items()))]
        for threads, figures in sorted(r["peak"].items()):
            self.lines.append("Measured peak on %s thread(s): %s." % (threads, ", ".join(
                "%s %.0f G%s/s" % (TITLES.get(k, k), v, "OP" if k == "int8" else "FLOP") for k, v in figures.items())))
        self.lines += ["", "Bold: the best of the others, which the speed-up is against. ~: too few undisturbed slices. "
                       "Of peak: ferry's, counting each multiply-add of the model as two operations (Winograd needs "
                       "fewer). Cosine: mean over the samples, to ONNX Runtime in FP32; '!' where ferry's is lower by "
                       "more than %g." % ALLOWED_COSINE_LOSS]

    def write(self):
        self.header()
        counts = sorted({c["threads"] for c in self.results["cells"]})
        for precision in TITLES:
            for threads in counts:
                self.precision_table(precision, threads)
        for precision in TITLES:
            self.user_table(precision)
        self.checks()
        return "\n".join(self.lines) + "\n"


def memory_mb(cell):
    return cell["rss_peak_mb"] - cell["rss_base_mb"]


def int8_share(cell):
    macs = (cell or {}).get("macs") or {}
    total = sum(macs.values())
    if not total:
        return "-"
    rest = [k for k in macs if k != "int8" and macs[k]]
    return "%.0f %%%s" % (100 * macs.get("int8", 0) / total, "; " + ", ".join(rest) if rest else "")


def write(results):
    return Report(results).write()
