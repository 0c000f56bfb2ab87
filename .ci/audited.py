"""Says what `.ci/audit` found, in words and as its exit code."""

import json
import sys
from pathlib import Path

BILL, FOUND = Path("build/zhixun.cdx.json"), Path("build/audit.json")


def name_of(part: dict[str, str]) -> str:
    """The name of a package, in the one spelling that both files are compared by."""
    return part["name"].lower().replace("_", "-")


def main(said: Path) -> int:
    """Print each vulnerability and what was not looked up; return the exit code."""
    parts = {name_of(part) for part in json.loads(BILL.read_text("utf-8"))["components"]}
    found = json.loads(FOUND.read_text("utf-8"))["dependencies"] if FOUND.exists() else []
    known = [(part, each) for part in found for each in part.get("vulns", ())]
    for part, each in known:
        fixed = ", ".join(each["fix_versions"]) or "nothing yet"
        print(f"VULNERABLE: {part['name']} {part['version']}: {each['id']}; fixed in {fixed}")
    left = sorted(parts - {name_of(part) for part in found if "vulns" in part} - {"zhixun"})
    print(f"{BILL}: {len(parts)} packages, {len(found)} looked up, {len(known)} known faults")
    if left:
        why = "".join(said.read_text("utf-8").splitlines()[-1:]) or "no answer about them"
        print(f"NOT AUDITED: {len(left)} packages ({', '.join(left[:5])} …): {why}")
    return 1 if known else 3 if left or not parts else 0


sys.exit(main(Path(sys.argv[1])))
