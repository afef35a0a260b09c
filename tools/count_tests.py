#!/usr/bin/env python3
"""Prints one line that counts the tests: those of ctest (a JUnit file) and those of the UI (vitest's summary)."""
import pathlib
import re
import sys
import xml.etree.ElementTree as ET


def main():
    junit, ui_log = map(pathlib.Path, sys.argv[1:3])
    passed = failed = skipped = 0
    details = []
    if junit.exists():
        cases = ET.parse(junit).getroot().iter("testcase")
        for case in cases:
            if case.get("status") == "fail" or case.find("failure") is not None:
                failed += 1
                details.append(f"FAILED {case.get('name')}")
            elif case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
                skipped += 1
                reason = re.search(r"(?:Skipped|skipped|SKIP)[:\s]+(.{0,160})", case.findtext("system-out") or "")
                details.append(f"skipped {case.get('name')}" + (f": {reason.group(1).strip()}" if reason else ""))
            else:
                passed += 1
            # Text-driven tests count their own cases: "1519 passed, 0 failed".
    ui_passed = ui_failed = 0
    if ui_log.exists():
        text = re.sub(r"\x1b\[[0-9;]*m", "", ui_log.read_text(errors="replace"))
        line = re.search(r"^\s*Tests\s+(.*)$", text, re.M)
        if line:
            ui_passed = int((re.search(r"(\d+) passed", line.group(1)) or [0, 0])[1])
            ui_failed = int((re.search(r"(\d+) failed", line.group(1)) or [0, 0])[1])
    print("\n".join(sorted(details)))
    print(f"{passed + ui_passed} tests passed, {failed + ui_failed} failed, {skipped} skipped"
          f" (C++ and end-to-end {passed + failed + skipped}, UI {ui_passed + ui_failed})")


if __name__ == "__main__":
    main()
