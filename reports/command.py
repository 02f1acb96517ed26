"""``lanewise report``: make a run's documents again from its folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.run_folder.folder import RunFolder, RunFolderError
from harness.run_folder.journal import JournalError
from harness.run_folder.manifest import ManifestError
from reports.checked import ReportError
from reports.parquet import write_measurements
from reports.report import write_report
from reports.summary import headline
from reports.text import visible

EXIT_DONE, EXIT_UNUSABLE = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite ``measurements.parquet`` and ``report.html`` of a run and print their paths and the verdict.

    Returns 0, whatever the verdict is; 2 when the folder is no run, is damaged or cannot be written to.
    """
    parser = argparse.ArgumentParser(
        prog="lanewise report",
        description="Make measurements.parquet and report.html again from a run folder.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    arguments = parser.parse_args(argv)
    run = RunFolder(arguments.run)
    try:
        paths = [write_measurements(run), write_report(run)]
    except (JournalError, ManifestError, RunFolderError, ReportError) as fault:
        return _refuse(str(fault))
    except OSError as fault:
        return _refuse(f"{fault.filename or run.path}: {fault.strerror or fault}")
    lines = [*(str(path) for path in paths), f"verdict: {headline(run).style.word}"]
    sys.stdout.write("\n".join(visible(line) for line in lines) + "\n")
    return EXIT_DONE


def _refuse(reason: str) -> int:
    sys.stderr.write(f"lanewise report: {visible(reason)}\n")
    return EXIT_UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
