"""The command line: a literal table of commands, each resolved when it is called.

Nothing of the project but a check of where it comes from is imported here, so that ``lanewise --help``
answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from harness.installation import shadowed

COMMANDS: dict[str, tuple[str, str]] = {
    "qualify": ("qualify a module: run a plan on a bench, write the report", "fixtures.qualify:main"),
    "report": ("make the documents of a run again, from its folder alone", "reports.command:main"),
    "limits": ("print the limits of a PMD with their sources", "harness.commands.limits:main"),
    "plan": ("list plans; show how each parameter is measured and judged", "harness.commands.plan:main"),
    "bench": (
        "check, discover, prove or calibrate a bench: instruments, identities, paths, losses",
        "harness.commands.bench:main",
    ),
    "module": (
        "look into a module or a dump, work on its registers, patterns, firmware",
        "harness.commands.module:main",
    ),
    "simulate": ("serve a simulated bench, or modules, to any host", "harness.commands.simulate:main"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 0 done or pass, 1 the module failed, 2 a problem of bench, file or usage."""
    # Our matrix products are small: threads of BLAS that spin take the processor from the bench's own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in {"-V", "--version"}:
        from importlib.metadata import version

        print(f"lanewise {version('lanewise')}")
        return 0
    entry = COMMANDS.get(arguments[0])
    if entry is None:
        print(f"lanewise: no command {arguments[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    fault = shadowed()
    if fault is not None:
        print(f"lanewise: {fault}", file=sys.stderr)
        return 2
    try:
        code = _resolve(entry[1])(arguments[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output (`| head`) has seen enough. Nothing more can be written, at exit either.
        # 2, for what was not read may have been a verdict: a pass is never claimed so.
        sys.stdout = None
        return 2
    except KeyboardInterrupt:  # where no command has a handler of its own, such as while it is imported
        print("lanewise: stopped", file=sys.stderr)
        return 2
    except Exception:
        # 1 says that a module failed; a fault of the program is none.
        traceback.print_exc()
        return 2
    return code


def usage() -> str:
    """The help text."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (text, _) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: lanewise COMMAND [...]",
            "",
            "Qualifies 400G optical modules, on a lab bench or a simulated one.",
            "",
            *lines,
            "",
            "`lanewise COMMAND --help` tells more of a command.",
        ]
    )


def _resolve(target: str) -> Callable[[Sequence[str]], int]:
    module, _, name = target.partition(":")
    function: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return function
