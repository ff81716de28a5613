#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a reviewer should not have to say: the house rules that a program can judge. A test (label lint).

Usage: lint.py [ROOT]. Prints FILE:LINE: [rule] what is wrong, one a line; exit 1 when there is any. The rules
are the functions named rule_…; each has a planted violation in lint_test.py. Programs that are not installed
(clang-format-14, shellcheck) are named as skipped.
"""
import ast
import pathlib
import re
import shutil
import subprocess
import sys

MAX_COLUMNS, MAX_FUNCTION_LINES, MAX_FILE_LINES = 110, 70, 600
C_LIKE = {".c", ".h", ".cc", ".hh"}
SOURCES = C_LIKE | {".py", ".sh", ".lua"}
GENERATED = {"vmlinux.h"}

# The core takes time, randomness and input as arguments; these are where they come from.
MAY_ASK_THE_SYSTEM = ("src/linux/", "src/datapath/", "src/control/", "src/nlbd/", "src/nlb/", "src/vmswitch/",
                      "src/console/", "src/http/", "lab/", "tests/", "bench/", "fuzz/")
BANNED = re.compile(r"\b(clock_gettime|srand|rand|socket)\s*\(|::now\s*\(|\bstd::random_device\b")
LEFTOVERS = re.compile(r"\b(" + "|".join(["FIX" + "ME", "TO" + "DO", "X" * 3, "HA" + "CK"]) + r")\b")
NOT_FUNCTIONS = re.compile(r"\b(namespace|class|struct|enum|union|if|for|while|switch|catch|do|else)\b|=\s*$")


class Source:
    def __init__(self, root, path):
        self.path, self.suffix = path, path.suffix
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = self.text.split("\n")


def blanked(text):
    """C-like text with comments, strings and characters replaced by spaces; line breaks stay."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.DOTALL)


def rule_licence(source):
    if source.suffix in SOURCES and not any("SPDX-License-Identifier:" in line for line in source.lines[:3]):
        yield 1, "no SPDX-License-Identifier in the first three lines"


def has_documented_header(source):
    """x.cc beside x.hh: the header opens with the problem (and is judged itself)."""
    return source.suffix == ".cc" and source.path.with_suffix(".hh").exists()


def rule_opening(source):
    """The comment after the licence says what problem the file solves."""
    if source.suffix not in SOURCES or has_documented_header(source):
        return
    rest = [line.strip() for line in source.lines[:6] if "SPDX" not in line and not line.startswith("#!")]
    marks = {".py": ('"""', "#"), ".sh": ("#",), ".lua": ("--",)}.get(source.suffix, ("//", "/*", "*"))
    if not any(line.startswith(marks) and len(line) > 15 for line in rest[:2]):
        yield 2, "no opening comment that says what problem the file solves"


def rule_banned(source):
    name = source.name
    main_of_sim = name.startswith("sim/") and "main" in name
    if source.suffix not in C_LIKE or name.startswith(MAY_ASK_THE_SYSTEM) or main_of_sim or "_test." in name:
        return
    for number, line in enumerate(blanked(source.text).split("\n"), 1):
        if found := BANNED.search(line):
            yield number, f"'{found.group().strip()}' here: time, randomness and sockets come as arguments"


def rule_columns(source):
    text = re.sub(r'R"\((.*?)\)"', lambda m: re.sub(r"[^\n]", "", m.group()), source.text, flags=re.DOTALL)
    for number, line in enumerate(text.split("\n"), 1):  # raw strings are quotations: they keep their lines
        if source.suffix in SOURCES and len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, at most {MAX_COLUMNS}"


def rule_file_length(source):
    if source.suffix in SOURCES and len(source.lines) > MAX_FILE_LINES + 1:
        yield 1, f"{len(source.lines) - 1} lines, at most {MAX_FILE_LINES}: look for the second noun in it"


def rule_leftovers(source):
    if source.suffix not in SOURCES | {".md", ".txt", ".toml", ".json"}:
        return
    for number, line in enumerate(source.lines, 1):
        if found := LEFTOVERS.search(line):
            yield number, f"'{found.group()}': finish it or write it into docs/parity.md"


def c_functions(text):
    """(first line, last line) of each outermost block whose head has a parameter list."""
    text, opened, inside, head_start = blanked(text), [], None, 0
    for at, char in enumerate(text):
        if char == "{":
            head = re.sub(r"^\s*#.*$", "", text[head_start:at], flags=re.MULTILINE)
            is_function = inside is None and ")" in head and not NOT_FUNCTIONS.search(head.split(")")[0])
            if is_function:
                inside = len(opened)
            opened.append(at)
        elif char == "}" and opened:
            start = opened.pop()
            if inside == len(opened):
                yield text.count("\n", 0, start) + 1, text.count("\n", 0, at) + 1
                inside = None
        if char in "{};":
            head_start = at + 1


def block_functions(lines, start, end):
    first = None
    for number, line in enumerate(lines, 1):
        if first is None and re.match(start, line):
            first = number
        elif first is not None and re.match(end, line):
            yield first, number
            first = None


def functions_of(source):
    if source.suffix in C_LIKE:
        return c_functions(source.text)
    if source.suffix == ".py":
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = ast.walk(ast.parse(source.text))
        return [(node.lineno, node.end_lineno) for node in nodes if isinstance(node, kinds)]
    if source.suffix == ".lua":
        return block_functions(source.lines, r"(local )?function\b", r"end\b")
    return block_functions(source.lines, r"[\w-]+\(\) *\{", r"\}") if source.suffix == ".sh" else []


def rule_function_length(source):
    for first, last in functions_of(source):
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield first, f"function of {last - first + 1} lines, at most {MAX_FUNCTION_LINES}"


def rule_heading(source):
    if source.suffix != ".md":
        return
    prose = re.sub(r"^```.*?^```", "", source.text, flags=re.DOTALL | re.MULTILINE)
    count = len(re.findall(r"^# ", prose, flags=re.MULTILINE))
    if count != 1:
        yield 1, f"{count} headings of the first level, there is to be one"


def run_over(program, arguments, paths, root):
    """The lines that a program prints about these files; nothing when it is content."""
    if not paths:
        return []
    if shutil.which(program) is None:
        print(f"lint: skipped: {program} is not installed")
        return []
    command = [program, *arguments, *paths]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    return [line for line in said if line.strip()] if done.returncode else []


def by_programs(root, sources):
    names = [source.name for source in sources if source.suffix in C_LIKE]
    said = run_over("clang-format-14", ["--dry-run", "-Werror", "-style=file"], names, root)
    first_of_file = {line.split(":")[0]: line for line in reversed(said) if " error:" in line}
    for line in sorted(first_of_file.values()):
        yield f"{line.split(' error:')[0]} [format] run clang-format-14 -style=file -i on it"
    shells = [s.name for s in sources if s.suffix == ".sh" or re.match(r"#!.*\b(ba)?sh\b", s.lines[0])]
    for line in run_over("shellcheck", ["-f", "gcc"], shells, root):
        yield line + " [shellcheck]"


def files_of(root):
    """What is, or could be, in the repository: nothing that is built or ignored."""
    listed = subprocess.run(["git", "-c", f"safe.directory={root}", "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
        paths = [root / name for name in names]
    else:
        left_out = {"build", ".git"}
        paths = [path for path in root.rglob("*") if not left_out & set(path.relative_to(root).parts)]
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def is_text(path):
    return b"\0" not in path.read_bytes()[:4096] and "corpus" not in path.parts and path.name not in GENERATED


def lint(root):
    sources = [Source(root, path) for path in files_of(root) if is_text(path)]
    rules = [rule for name, rule in globals().items() if name.startswith("rule_")]
    complaints = []
    for source in sources:
        for rule in rules:
            short = rule.__name__.removeprefix("rule_").replace("_", "-")
            complaints += [f"{source.name}:{number}: [{short}] {what}" for number, what in rule(source)]
    return complaints + list(by_programs(root, sources)), len(sources)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    complaints, count = lint(root)
    print("\n".join(complaints + [f"lint: {count} files, {len(complaints)} complaints"]))
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
