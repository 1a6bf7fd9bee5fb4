"""What the checkers share: the C++ files below src/, and which of them exist for tests only."""
import re

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def source_files(root):
    """Every header and source below src/ by its path from there."""
    src = root / "src"
    return {p.relative_to(src).as_posix(): p.read_text() for p in sorted(src.rglob("*")) if p.suffix in (".h", ".cc")}


def test_files(files):
    """Tests, fuzzers, and the headers that only such files include."""
    tests = {name for name in files if re.search(r"_(test|fuzz)\.(h|cc)$", name)}
    includers = {}
    for name, text in files.items():
        for _, header in INCLUDE.findall(text):
            includers.setdefault(header, set()).add(name)
    while True:
        more = {name for name in files if name.endswith(".h") and name not in tests and includers.get(name, set()) - {name}
                and includers[name] - {name} <= tests}
        if not more:
            return tests
        tests |= more
