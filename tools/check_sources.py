#!/usr/bin/env python3
"""Rules that no compiler holds: file sizes, and constructs that this code base does not use.

A file over 600 lines is named, one over 900 fails (tables excepted: say so in TABLES). C++20 coroutines are
refused: gcc 12 miscompiles them silently (docs/decisions/0002-thread-model.md).
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLES = {"src/promql/functions.cc"}
WARN_LINES, FAIL_LINES = 600, 900
BANNED = [
    (re.compile(r"\bco_(await|return|yield)\b"), "no C++20 coroutines"),
    (re.compile(r"#include <iostream>"), "<iostream> is not used"),
    (re.compile(r"\bNOLINT(NEXTLINE)?\b(?!(NEXTLINE)?\([\w.,*-]+\): )"), "NOLINT needs (check): reason"),
    # Not in test programs, which nobody includes and no input from outside reaches.
    (re.compile(r"#include <regex>"), "<regex> is not used"),
    (re.compile(r"\busing namespace\b"), "no using namespace"),
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "finish it or file an issue"),
]


def main():
    problems, warnings = [], []
    files = [p for d in ("src", "fuzz", "tests") for p in (ROOT / d).rglob("*") if p.suffix in (".h", ".cc")]
    files += [p for p in (ROOT / "ui/src").rglob("*") if p.suffix in (".ts", ".tsx")]
    for path in sorted(files):
        name = str(path.relative_to(ROOT))
        lines = path.read_text().split("\n")
        if len(lines) > FAIL_LINES and name not in TABLES:
            problems.append(f"{name}: {len(lines)} lines (limit {FAIL_LINES})")
        elif len(lines) > WARN_LINES and name not in TABLES:
            warnings.append(f"{name}: {len(lines)} lines")
        if path.suffix not in (".h", ".cc"):
            continue
        for number, line in enumerate(lines, 1):
            for pattern, why in BANNED:
                in_test = name.startswith(("fuzz/", "tests/")) or path.stem.endswith("_test")
                if pattern.search(line) and not (in_test and why in ("<regex> is not used", "no using namespace")):
                    problems.append(f"{name}:{number}: {why}")
    if warnings:
        print(f"sources: over {WARN_LINES} lines: " + ", ".join(warnings))
    print("\n".join(problems) or f"sources: {len(files)} files")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
