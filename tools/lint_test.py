#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lint judged: each rule finds the violation planted for it, and a clean tree passes."""
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import lint  # noqa: E402  (after the line that keeps the tree clean)

TOP = "// SPDX-License-Identifier: Apache-2.0\n// Adds two numbers, because somebody must.\n"
CLEAN = TOP + "int add(int a, int b) { return a + b; }\n"
LONG = "\n".join(f"  a += {i};" for i in range(75))


class Lint(unittest.TestCase):
    def complaints(self, name, text):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            (root / ".clang-format").write_text("BasedOnStyle: Google\nColumnLimit: 110\n", encoding="utf-8")
            return lint.lint(root)[0]

    def assert_clean(self, name, text):
        self.assertEqual(self.complaints(name, text), [])

    def assert_found(self, rule, name, text):
        found = any(f"[{rule}]" in line for line in self.complaints(name, text))
        self.assertTrue(found, f"{rule} finds nothing")

    def test_clean_files_pass(self):
        self.assert_clean("src/core/add.cc", CLEAN)
        self.assert_clean("tools/add.py", '# SPDX-License-Identifier: Apache-2.0\n"""Adds two numbers."""\n')
        self.assert_clean("README.md", "# One\n\n## Two\n\n```sh\n# a comment\n```\n")

    def test_licence_and_opening(self):
        self.assert_found("licence", "src/a.cc", CLEAN.split("\n", 1)[1])
        self.assert_found("opening", "src/a.cc", "// SPDX-License-Identifier: Apache-2.0\nint a;\n")

    def test_banned_names(self):
        for call in ("clock_gettime(0, 0)", "std::chrono::steady_clock::now()", "rand()", "socket(1, 2, 3)"):
            text = TOP + f"int f() {{ return {call}; }}\n"
            self.assert_found("banned", "src/core/a.cc", text)
            self.assert_clean("src/linux/a.cc", text)
            self.assert_clean("src/core/a_test.cc", text)
        self.assert_found("banned", "src/wire/a.cc", TOP + "std::random_device device;\n")
        self.assert_found("banned", "sim/world.cc", TOP + "int a = rand();\n")
        self.assert_clean("sim/sim_main.cc", TOP + "int a = rand();\n")
        self.assert_clean("src/core/a.cc", TOP + "// never rand() here\nint operand(int);\n")

    def test_lengths(self):
        self.assert_found("columns", "src/a.cc", TOP + "// " + "x" * 110 + "\n")
        self.assert_found("file-length", "src/a.cc", TOP + "int f();\n" * 600)
        for head in ("int f(int a) {", "TEST(Suite, Name) {", "int T::f(int a) const {"):
            self.assert_found("function-length", "src/a.cc", f"{TOP}namespace n {{\n{head}\n{LONG}\n}}\n}}\n")
        members = "\n".join(f"  int f{i}() {{ return {i}; }}" for i in range(80))
        self.assertFalse(any("function-length" in line for line in self.complaints(
            "src/a.cc", f"{TOP}class T {{\n{members}\n}};\n")), "a class is no function")
        body = "\n".join("    a = 1" for _ in range(75))
        python = f'# SPDX-License-Identifier: Apache-2.0\n"""Adds two numbers."""\ndef f():\n{body}\n'
        self.assert_found("function-length", "a.py", python)

    def test_leftovers(self):
        self.assert_found("leftovers", "src/a.cc", TOP + "// TO" + "DO: later\n")
        self.assert_found("leftovers", "docs/a.md", "# A\n\nFIX" + "ME\n")
        self.assert_clean("docs/a.md", "# A\n\nmktemp name.XXXX" + "XX\n")

    def test_headings(self):
        self.assert_found("heading", "docs/a.md", "# One\n\n# Two\n")
        self.assert_found("heading", "docs/a.md", "## None\n")

    @unittest.skipUnless(shutil.which("clang-format-14"), "clang-format-14 is not installed")
    def test_format(self):
        self.assert_found("format", "src/a.cc", TOP + "int   f( );\n")

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shell(self):
        script = "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n# Prints what it was given.\necho $1\n"
        self.assert_found("shellcheck", "a.sh", script)


if __name__ == "__main__":
    unittest.main()
