#!/usr/bin/env python3
"""The documents say what is there: every module stands in ARCHITECTURE.md, every linked file exists, and both READMEs
show the same commands."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)


def commands(readme):
    text = "\n".join(FENCE.findall((ROOT / readme).read_text()))
    return [line.split("#")[0].strip() for line in text.split("\n") if line.startswith(("./dev", "sonde", "git"))]


def main():
    problems = []
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    for cmake in sorted((ROOT / "src").glob("*/CMakeLists.txt")):
        if f"`{cmake.parent.name}/`" not in architecture:
            problems.append(f"ARCHITECTURE.md: module {cmake.parent.name} is missing")
    documents = [p for p in ROOT.glob("*.md")] + list((ROOT / "docs").rglob("*.md"))
    for document in documents:
        for target in LINK.findall(document.read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (document.parent / target).exists():
                problems.append(f"{document.relative_to(ROOT)}: {target} does not exist")
    if commands("README.md") != commands("README.zh-CN.md"):
        problems.append("README.zh-CN.md: its commands differ from README.md's")
    print("\n".join(problems) or f"docs: {len(documents)} documents")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
