#!/usr/bin/env python3
"""Every module includes exactly the modules that its CMakeLists.txt names, and no cycle exists.

A header's includes must be PUBLIC, a source's may be PRIVATE; a named module that nothing
includes is an error too, so the CMake files stay the true picture of the architecture.
"""
import pathlib, re, sys

SRC = pathlib.Path(__file__).resolve().parent.parent / "src"
SECTION = re.compile(r"\b(NAME|SOURCES|TESTS|BENCHES|PUBLIC|PRIVATE|SYSTEM)\b")
INCLUDE = re.compile(r'^#include "([\w/]+)/[\w.]+"', re.M)


def declared(cmake_file):
    parts = SECTION.split(cmake_file.read_text().split("sonde_module(")[1].split(")")[0])
    words = {k: set(v.split()) for k, v in zip(parts[1::2], parts[2::2])}
    return words.get("PUBLIC", set()), words.get("PRIVATE", set())


def main():
    modules = {f.parent.name: declared(f) for f in SRC.glob("*/CMakeLists.txt")}
    problems = []
    for name, (public, private) in sorted(modules.items()):
        used = set()
        for path in (SRC / name).rglob("*.[hc]*"):
            if path.suffix not in (".h", ".cc"):
                continue
            for target in INCLUDE.findall(path.read_text()):
                target = target.split("/")[0]
                if target == name or target not in modules:
                    continue
                test = path.stem.endswith(("_test", "_bench"))
                used |= {target} if not test else set()
                allowed = public if path.suffix == ".h" else public | private
                if target not in allowed and not test:
                    problems.append(f"{path.relative_to(SRC)}: {name} may not include {target}")
        problems += [f"{name}: names {d} but never includes it" for d in (public | private) - used]
    order, rest = [], {n: p | q for n, (p, q) in modules.items()}
    while ready := [n for n, deps in rest.items() if not deps - set(order)]:
        order += sorted(ready)
        rest = {n: d for n, d in rest.items() if n not in ready}
    problems += [f"cycle among {', '.join(sorted(rest))}"] if rest else []
    print("\n".join(problems) or "layers: " + " < ".join(order))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
