#!/usr/bin/env python3
"""Every stable error code of src/ has a row in docs/errors.md, and every row a code in src/.

A code is a string literal given beside an ErrorKind, as the code to fail(), to a function with a parameter named `code`,
or assigned to a member named `code`. Usage: check_error_codes.py ROOT [--list]
"""
import collections
import pathlib
import re
import sys

LITERAL = re.compile(r'"([a-z][a-z0-9_]+)"')
KIND_FIRST = re.compile(r"[({](?=\s*ErrorKind::k\w+,)")
# Deadlines travel through the HTTP client by the code that they will have.
TIMEOUT = re.compile(r'"([a-z_]+_timeout)"')
# A function that takes a code: its name, and its parameters up to the brace or the arrow of the result.
WRAPPER = re.compile(r"\b(\w+)(?: = \[[^\]]*\])?\s*\(((?:[^(){};]|\([^()]*\))*?\bcode\b(?:[^(){};]|\([^()]*\))*)\)\s*(?:const\s*)?(?:\{|->|;)")
PARAMETER = re.compile(r"(?:const char\s*\*|std::string_view|std::string|const std::string\s*&)\s*code$")
ASSIGNED = re.compile(r"\bcode\s*=(?!=)\s*([^;]*);")


def arguments(text, start):
    """The top-level arguments of the call whose '(' stands at `start`."""
    depth, quote, begin, out, at = 0, "", start + 1, [], start
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char == '"':
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return out + [text[begin:at]]
        elif char == "," and depth == 1:
            out.append(text[begin:at])
            begin = at + 1
        at += 1
    return out


def strip_comments(text):
    return re.sub(r"^\s*//.*$|(?<=[;{},)])\s*//.*$", "", text, flags=re.MULTILINE)


def codes_in(root):
    files = {path: strip_comments(path.read_text(encoding="utf-8"))
             for path in sorted((root / "src").rglob("*"))
             if path.suffix in (".cc", ".h") and not path.name.endswith("_test.cc") and not path.name.startswith("test_")}
    found = collections.defaultdict(set)
    takers = {"fail": 1}
    by_file = collections.defaultdict(dict)
    for path, text in files.items():
        if path.parent.name == "strategy":
            continue  # there `code` is the code of a reason, and errors come from fail() alone
        for match in WRAPPER.finditer(text):
            parameters = arguments("(" + match[2] + ")", 0)
            for index, parameter in enumerate(parameters):
                if PARAMETER.search(parameter.split("=")[0].strip()):
                    # A header's function may be called from anywhere, one in a .cc only there.
                    (takers if path.suffix == ".h" else by_file[path])[match[1]] = index
    for path, text in files.items():
        for name, index in {**takers, **by_file[path]}.items():
            for match in re.finditer(r"\b" + name + r"\s*\(", text):
                given = arguments(text, match.end() - 1)
                if index < len(given):
                    for code in LITERAL.findall(given[index]):
                        if not code.endswith("_"):  # the front of a code that is put together
                            found[code].add(path.relative_to(root))
        for match in KIND_FIRST.finditer(text):
            for code in LITERAL.findall((arguments(text, match.end() - 1) + [""])[1]):
                if not code.endswith("_"):
                    found[code].add(path.relative_to(root))
        for match in ASSIGNED.finditer(text):
            for code in LITERAL.findall(re.sub(r"\([^()]*\)", "", match[1])):
                if not code.endswith("_"):
                    found[code].add(path.relative_to(root))
        for code in TIMEOUT.findall(text) if path.parent.name in ("net", "upstream") else []:
            found[code].add(path.relative_to(root))
        for match in re.finditer(r"\bParseFailure\s*\w*\s*\{|\bfailure\s*=\s*\{", text):
            given = arguments(text, match.end() - 1)
            for code in LITERAL.findall(given[1] if len(given) > 1 else ""):
                found[code].add(path.relative_to(root))
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    found = codes_in(root)
    if "--list" in sys.argv:
        for code, paths in sorted(found.items()):
            print(code, *sorted(map(str, paths)))
        return 0
    if len(found) < 50:
        print(f"only {len(found)} codes found: the scan itself is broken")
        return 1
    page = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9_]+)` \|", page, flags=re.MULTILINE)
    problems = [f"docs/errors.md has no row for `{code}` ({', '.join(sorted(map(str, paths)))})"
                for code, paths in sorted(found.items()) if code not in rows]
    problems += [f"docs/errors.md describes `{code}`, which src/ does not have" for code in rows if code not in found]
    problems += [f"docs/errors.md describes `{code}` {count} times" for code, count in collections.Counter(rows).items() if count > 1]
    print("\n".join(problems) or f"{len(found)} error codes, all described")
    return 1 if problems else 0


sys.exit(main())
