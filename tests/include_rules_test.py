"""Proves tests/include_rules.txt: reads the #include lines of all sources and compares.

Run by ctest; by hand: python3 tests/include_rules_test.py. Needs only the standard library.
"""

import fnmatch
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ("core", "server", "trainer", "client", "scripts")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')


class Rules:
    """The table. Unknown words are errors: a typo must not open a door."""

    def __init__(self, text):
        self.units = []  # (name, patterns), in order
        self.headers = []  # (name, prefixes)
        self.allowed = {}  # name -> set of names
        self.open = set()
        self.private = set()
        self.never = []  # (pattern, text)
        for line in self._lines(text):
            self._read(line)
        names = {name for name, _ in self.units + self.headers}
        used = self.open | self.private | set(self.allowed).union(*self.allowed.values())
        if used - names:
            raise ValueError(f"names without unit or header: {sorted(used - names)}")

    @staticmethod
    def _lines(text):
        """Without comments; a line that starts with blanks goes on with the one before."""
        lines = []
        for line in text.splitlines():
            line = line.split("#")[0].rstrip()
            if line.startswith(" ") and lines:
                lines[-1] += line
            elif line:
                lines.append(line)
        return lines

    def _read(self, line):
        words = line.split()
        if words[0] == "unit":
            self.units.append((words[1], words[2:]))
        elif words[0] == "header":
            self.headers.append((words[1], words[2:]))
        elif words[0] == "open":
            self.open.update(words[1:])
        elif words[0] == "private":
            self.private.update(words[1:])
        elif words[0] == "never":
            self.never.append((words[1], words[2]))
        elif len(words) > 2 and words[1] == "<-":
            self.allowed[words[0]] = set(words[2:])
        else:
            raise ValueError(f"not understood: {line}")

    def unit_of(self, path):
        """The unit of a file of ours, or None."""
        for name, patterns in self.units:
            if any(fnmatch.fnmatch(path, pattern) for pattern in patterns):
                return name
        return None

    def owner_of(self, included):
        """The unit or outside header that an included path belongs to, or None (standard)."""
        if included.startswith(FOLDERS) and "/" in included:
            return self.unit_of(included)
        for name, prefixes in self.headers:
            if included.startswith(tuple(prefixes)):
                return name
        return None


def check(rules, includes):
    """`includes`: path -> [(line, included path)]. Returns the violations, one line each."""
    faults = []
    for path, lines in sorted(includes.items()):
        unit = rules.unit_of(path)
        if unit is None:
            faults.append(f"{path}: belongs to no unit of include_rules.txt")
            continue
        for number, included in lines:
            owner = rules.owner_of(included)
            fault = None
            for pattern, text in rules.never:
                if fnmatch.fnmatch(path, pattern) and text in included:
                    fault = f"{pattern} never includes {text}"
            if owner is None and included.startswith(FOLDERS) and "/" in included:
                fault = "belongs to no unit"
            elif owner not in {None, unit} | rules.open | rules.allowed.get(unit, set()):
                fault = f"{unit} may not include {owner}"
            if fault:
                faults.append(f"{path}:{number}: {included}: {fault}")
    return faults + check_private(rules, includes)


def check_private(rules, includes):
    """Vendor headers stay in .cc files or in headers that only their own folder includes."""
    vendors = {}  # header of ours -> vendor header in it
    for path, lines in includes.items():
        for _, included in lines:
            if path.endswith(".h") and rules.owner_of(included) in rules.private:
                vendors[path] = included
    faults = []
    for path, lines in sorted(includes.items()):
        for number, included in lines:
            if included in vendors and os.path.dirname(included) != os.path.dirname(path):
                faults.append(f"{path}:{number}: {included} is private to its folder: "
                              f"it includes {vendors[included]}")
    return faults


def read_includes():
    includes = {}
    for folder in FOLDERS:
        for where, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if not name.endswith((".h", ".cc", ".cu", ".cl")):
                    continue
                path = os.path.join(where, name)
                with open(path, encoding="utf-8") as file:
                    found = [(i, INCLUDE.match(line)) for i, line in enumerate(file, 1)]
                includes[os.path.relpath(path, ROOT)] = [(i, m.group(1)) for i, m in found if m]
    return includes


def read_rules():
    with open(os.path.join(ROOT, "tests", "include_rules.txt"), encoding="utf-8") as file:
        return Rules(file.read())


class IncludeRules(unittest.TestCase):
    def test_sources_obey_the_table(self):
        includes = read_includes()
        self.assertGreater(len(includes), 20, "found too few sources: wrong folder?")
        faults = check(read_rules(), includes)
        self.assertEqual([], faults, "\n" + "\n".join(faults))

    def faults(self, path, included):
        return check(read_rules(), {path: [(1, included)]})

    def test_a_forbidden_arrow_is_found(self):
        self.assertEqual([], self.faults("core/compile/a.cc", "core/runtime/program.h"))
        self.assertIn("compile may not include data",
                      self.faults("core/compile/a.cc", "core/data/sampler.h")[0])
        self.assertIn("backend/cpu may not include backend/gpu",
                      self.faults("core/backend/cpu/a.cc", "core/backend/gpu/b.h")[0])
        self.assertIn("client may not include graph",
                      self.faults("client/a.cc", "core/ops/conv.h")[0])

    def test_core_never_includes_services(self):
        self.assertTrue(self.faults("core/train/a.cc", "fovea/v1/jobs.grpc.pb.h"))
        self.assertEqual([], self.faults("core/train/a.cc", "fovea/v1/jobs.pb.h"))

    def test_vendor_headers_stay_in_their_folder(self):
        includes = {"core/data/pixels.h": [(1, "opencv2/core.hpp")],
                    "core/data/decode.cc": [(2, "core/data/pixels.h")]}
        self.assertEqual([], check(read_rules(), includes))
        includes["core/train/loader.cc"] = [(3, "core/data/pixels.h")]
        self.assertIn("private to its folder", check(read_rules(), includes)[0])
        self.assertIn("train may not include opencv",
                      self.faults("core/train/a.cc", "opencv2/core.hpp")[0])

    def test_a_new_folder_must_be_named(self):
        self.assertIn("no unit", self.faults("core/newcomer/a.cc", "vector")[0])

    def test_a_typo_in_the_table_is_an_error(self):
        with self.assertRaises(ValueError):
            Rules("unit a x/*\na <- b\n")
        with self.assertRaises(ValueError):
            Rules("unit a x/*\na < a\n")


if __name__ == "__main__":
    unittest.main()
