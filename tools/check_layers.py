#!/usr/bin/env python3
"""Fails when a file under src/ includes a folder that tools/layers.txt does not allow it.

Usage: check_layers.py ROOT. Prints each offending include; exit 1 if there is any. Files of base may include only base,
of domain only domain and base; every folder may include itself, domain and base. Tests (_test.cc) obey the same rule.
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
allowed = {}
for line in (root / "tools/layers.txt").read_text().splitlines():
    if line.strip() and not line.startswith("#"):
        folder, _, rest = line.partition(":")
        allowed[folder.strip()] = rest.split()

bad, files = [], 0
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cc", ".inc"):
        continue
    files += 1
    folder = path.relative_to(root / "src").parts[0]
    if folder not in allowed:
        bad.append(f"{path}: folder '{folder}' has no row in tools/layers.txt")
        continue
    own = {"base": {"base"}, "domain": {"base", "domain"}}.get(folder, {"base", "domain", folder})
    for number, text in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', text)
        if not match:
            continue
        target = match.group(1)
        top = target.split("/")[0]
        if "/" not in target:
            bad.append(f"{path}:{number}: include from src/, as in \"folder/file.h\", not \"{target}\"")
        elif top not in own and "*" not in allowed[folder] and top not in allowed[folder] and target not in allowed[folder]:
            bad.append(f"{path}:{number}: {folder} may not include {target}")
print("\n".join(bad) if bad else f"layers: {files} files obey tools/layers.txt")
sys.exit(1 if bad else 0)
