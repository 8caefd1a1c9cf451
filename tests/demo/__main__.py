# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: boots the image between simulated sites and proves each promise of it.

One PASS or FAIL line for each thing that is checked, with its figure; the last line counts them,
and the exit status says the same.
"""
import argparse
import sys
import tempfile
import traceback

from tests.demo.promises import PROMISES
from tests.demo.world import World


def main():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--board", default="qemu-x86_64")
    parser.add_argument("--keep", action="store_true", help="keep the disks and the console's log")
    options = parser.parse_args()
    counts = {True: 0, False: 0}

    def report(number, name, passed, figure):
        counts[bool(passed)] += 1
        print(f"{'PASS' if passed else 'FAIL'}  {number}  {name:<72} {figure}", flush=True)

    folder = tempfile.mkdtemp(prefix="gatepost-demo-") if options.keep else None
    with tempfile.TemporaryDirectory(prefix="gatepost-demo-") as scratch:
        with World(folder or scratch, options.board) as world:
            world.write_config_disk()
            for number, promise in enumerate(PROMISES, 1):
                print(f"[{number}/{len(PROMISES)}] {promise.__doc__.split('. ', 1)[1]}", flush=True)
                try:
                    for name, passed, figure in promise(world):
                        report(number, name, passed, figure)
                except Exception as why:  # the other promises are still worth a look
                    traceback.print_exc()
                    report(number, promise.__name__, False, f"{type(why).__name__}: {why}")
    if folder:
        print(f"kept: {folder}")
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


sys.exit(main())
