"""``lanewise limits``: what a PMD must keep to, said by which document, known how well."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from harness.judging.limits import GRADES, available_pmds, limits_of_pmd
from harness.run_folder.manifest_of_run import limit_entry
from harness.tables import TableError
from harness.text import columns


def main(argv: Sequence[str]) -> int:
    """Print the limits of a PMD."""
    parser = argparse.ArgumentParser(prog="lanewise limits", description="Print the limits of a PMD.")
    parser.add_argument("pmd", nargs="?", default="400GBASE-DR4", help="default: %(default)s")
    arguments = parser.parse_args(argv)
    try:
        limits = limits_of_pmd(arguments.pmd)
    except TableError as fault:
        print(f"lanewise limits: {fault}", file=sys.stderr)
        return 2
    header = ("parameter", "low", "high", "unit", "force", "grade", "layer", "source", "note")
    rows = []
    for row in limits.rows:
        entry = limit_entry(row)
        rows.append(
            (
                row.title,
                entry.low,
                entry.high,
                row.unit,
                entry.force,
                row.grade,
                row.layer,
                row.source,
                entry.note,
            )
        )
    print(f"{limits.pmd}, {limits.edition}\nlayers: {', '.join(limits.layers)}\n")
    print(columns(header, rows))
    print("\ngrades: " + "; ".join(f"{grade} {text}" for grade, text in GRADES.items()))
    print("Nobody of this project has read the licensed standard; where a document is named, it is quoted.")
    print(f"PMDs with limits: {', '.join(available_pmds())}")
    return 0
