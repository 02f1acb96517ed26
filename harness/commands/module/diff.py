"""``lanewise module diff``: what is different between two modules, two dumps, or one of each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.commands.module.printing import say, say_json
from harness.commands.module.running import (
    DONE,
    Parser,
    UsageError,
    add_bench_options,
    guarded,
    options_of,
    require_up,
)
from harness.commands.module.subject import names_of, names_text
from harness.target_forms import FORMS

if TYPE_CHECKING:
    from drivers.cmis.image import MemoryImage
    from harness.module_target import TargetOptions

DIFFERENT = 1


def main(argv: Sequence[str]) -> int:
    """``lanewise module diff A B``."""
    parser = Parser(
        "diff",
        "Compare two targets register by register. Monitors, flags and states, which change by\n"
        "themselves, are only counted unless --all is given.",
        epilog="Exit code, as diff(1) has it: 0 no difference shown, 1 differences, 2 a problem.",
    )
    parser.add_argument("a", metavar="A", help=FORMS)
    parser.add_argument("b", metavar="B", help="likewise")
    parser.add_argument("--all", action="store_true", help="show what changes by itself too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    add_bench_options(parser)
    return guarded("diff", parser, argv, _diff)


def _diff(arguments: argparse.Namespace) -> int:
    from drivers.cmis.comparison import compare, render_comparison
    from drivers.cmis.errors import CmisError
    from harness.module_target import is_bench, without_bench

    options = options_of(arguments)
    if not (is_bench(arguments.a) or is_bench(arguments.b)):
        without_bench(f"{arguments.a} {arguments.b}", options)
    try:
        image_a, live_a, name_a = _image(arguments.a, options)
        image_b, live_b, name_b = _image(arguments.b, options)
    except CmisError as error:  # 1 says here that there are differences
        raise UsageError(str(error)) from error
    if live_a or live_b:  # whose flags were not read, so there is nothing to compare
        for image in (image_a, image_b):
            _without_flags(image)
    found = compare(image_a, image_b)
    shown = [item for item in found if arguments.all or not item.volatile]
    if arguments.json:
        say_json(
            {
                "a": arguments.a,
                "b": arguments.b,
                "modules": {"a": names_of(image_a), "b": names_of(image_b)},
                "differences": [item.to_json() for item in shown],
                "not_shown": len(found) - len(shown),
            }
        )
    else:
        for side, name, image in (("A", name_a, image_a), ("B", name_b, image_b)):
            say(f"{side}  {ascii(name)[1:-1]}: {names_text(names_of(image))}\n")
        say("\n")
        say(render_comparison(found, volatile=arguments.all))
    return DIFFERENT if shown else DONE


def _image(text: str, options: TargetOptions) -> tuple[MemoryImage, bool, str]:
    """A target's memory, whether it is live, and its name. ``options`` are for those that are benches."""
    from harness.commands.module.reading import read_module
    from harness.module_target import TargetOptions, is_bench, open_target

    suited = options if is_bench(text) else TargetOptions(max_read_bytes=options.max_read_bytes)
    with open_target(text, suited) as target:
        require_up(target)
        return read_module(target).dump.image, target.live, target.name


def _without_flags(image: MemoryImage) -> None:
    from drivers.cmis.dump.formats import halves_of
    from drivers.cmis.latched import clear_on_read_bytes

    for bank, page in halves_of(image):
        for byte in clear_on_read_bytes(page):
            image.mark_unread(bank, page or 0, byte, 1)
        if page is not None and not image.known(bank, page):
            image.discard_page(bank, page)
