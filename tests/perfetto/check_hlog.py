"""Reads an interval log with HdrHistogram's Python package and holds its counts against the JSON report of its run.

Usage: check_hlog.py LOG.hlog REPORT.json
"""

import json
import sys
from collections import Counter

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

DAY_US = 24 * 3600 * 1_000_000


def fit(name):
    """A name as it stands in a tag: docs/files.md."""
    return "".join("_" if c.isspace() or c in ",/" or not c.isprintable() else c for c in name)


def main(log, report):
    reader = HistogramLogReader(log, HdrHistogram(1, 30 * DAY_US, 3))
    counts, lines = Counter(), 0
    while (histogram := reader.get_next_interval_histogram()) is not None:
        counts[histogram.get_tag()] += histogram.get_total_count()
        lines += 1
    with open(report, encoding="utf-8") as file:
        report = json.load(file)
    expected = {}
    for variant in report["variants"]:
        for name, service in variant["services"].items():
            tag = f"{fit(variant['name'])}/{fit(name)}"
            # Who waits at the end of the run has not waited to the end.
            expected[f"{tag}/wait"] = service["wait_us"]["count"] - service["still_waiting"]
            expected[f"{tag}/service"] = service["service_us"]["count"]
    wrong = {tag: (counts[tag], count) for tag, count in expected.items() if counts[tag] != count}
    if wrong or set(counts) - set(expected):
        sys.exit(f"hlog: counts differ from the report's: {wrong or set(counts) - set(expected)}")
    print(f"hlog: {lines} histograms under {len(counts)} tags, {sum(counts.values())} values")


main(*sys.argv[1:])
