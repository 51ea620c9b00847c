#!/usr/bin/env python3
"""The testers are tested: each rule of check_layers, check_sizes, run_tests and work_depth_table must fail on what breaks it."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent

CLEAN = {
    "CMakeLists.txt": "foreach(folder IN ITEMS base tensor io kernels)\n  add_subdirectory(convoy/${folder})\nendforeach()\n",
    "tools/layers.toml": 'base = []\ntensor = ["base"]\nio = ["tensor"]\nkernels = ["tensor"]\nlater = ["io"]\n',
    "convoy/base/CMakeLists.txt": "convoy_folder(base)\n",
    "convoy/base/check.h": "#pragma once\n#include <string>\n",
    "convoy/base/check.cc": '#include "convoy/base/check.h"\n\n#include <nlohmann/json.hpp>\n',
    "convoy/tensor/CMakeLists.txt": "# convoy_folder(tensor DEPS io)\nconvoy_folder(tensor DEPS base LIBS fmt::fmt)\n",
    "convoy/tensor/shape.h": '#pragma once\n#include "convoy/base/check.h"\n\n'
                             "struct Shape {\n  Shape(const Shape&) = delete;\n};\n",
    "convoy/tensor/shape_test.cc": '#include "convoy/tensor/shape.h"\n// a new idea, then delete it\n'
                                   'const char* text = "new delete dynamic_cast";\n'
                                   'const char* raw = R"(int* p = new int;)";\n',
    "convoy/io/CMakeLists.txt": "convoy_folder(io DEPS tensor)\n",
    "convoy/io/reader.h": '#pragma once\n#include "convoy/base/check.h"\n#include "convoy/tensor/shape.h"\n',
    "convoy/kernels/CMakeLists.txt": "convoy_folder(kernels DEPS tensor)\n",
    "convoy/kernels/add-inl.h": "#pragma once\n#include <hwy/highway.h>\n",
    "tests/CMakeLists.txt": "convoy_test(master SOURCES master_test.cc DEPS io)\n",
    "tests/master_test.cc": '#include "convoy/io/reader.h"\n',
}


def function(lines):
    """A function of so many lines."""
    return "int f(int a = {}) {\n" + "  a += 1;\n" * (lines - 2) + "}\n"


class CheckerTest(unittest.TestCase):
    def run_on(self, checker, changes):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in {**CLEAN, **changes}.items():
                if text is not None:
                    (root / name).parent.mkdir(parents=True, exist_ok=True)
                    (root / name).write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, str(TOOLS / checker), "--root", folder], capture_output=True,
                                  text=True, check=False)
            return done.returncode, done.stdout + done.stderr

    def assert_clean(self, checker, **changes):
        status, output = self.run_on(checker, changes.get("changes", {}))
        self.assertEqual(status, 0, output)

    def assert_refused(self, checker, changes, expected):
        status, output = self.run_on(checker, changes)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, expected)
        self.assertRegex(output, r"\b1 violations", "one cause must give one line:\n" + output)


class CheckLayers(CheckerTest):
    def refused(self, changes, expected):
        self.assert_refused("check_layers", changes, expected)

    def test_clean_tree_passes(self):
        self.assert_clean("check_layers")

    def test_upward_include(self):
        self.refused({"convoy/base/check.h": '#include "convoy/tensor/shape.h"\n'},
                     r"convoy/base/check\.h:1: base may not include tensor")

    def test_sideways_include(self):
        self.refused({"convoy/io/reader.cc": '\n#  include "convoy/kernels/add.h"\n'},
                     r"convoy/io/reader\.cc:2: io may not include kernels")

    def test_upward_include_in_angle_brackets(self):
        self.refused({"convoy/base/check.cc": "#include <convoy/tensor/shape.h>\n"}, "base may not include tensor")

    def test_upward_include_of_a_test(self):
        self.refused({"convoy/tensor/shape_test.cc": '#include "convoy/io/reader.h"\n'}, "tensor may not include io")

    def test_relative_includes(self):
        self.refused({"convoy/base/check.cc": '#include "../tensor/shape.h"\n'}, "relative path")
        self.refused({"convoy/base/check.cc": '#include "check.h"\n'}, "must be spelled")

    def test_include_of_the_benches(self):
        self.refused({"convoy/base/check.cc": '#include "bench/peer.h"\n'}, "outside of the library")

    def test_only_tests_include_test_support(self):
        self.assert_clean("check_layers", changes={"convoy/base/a_test.cc": '#include "tests/support.h"\n'})
        self.refused({"convoy/base/a.cc": '#include "tests/support.h"\n'}, "outside of the library")

    def test_private_headers_stay_in_their_sources(self):
        private = '#include "convoy/kernels/add-inl.h"\n'
        self.assert_clean("check_layers", changes={"convoy/kernels/add.cc": private, "convoy/kernels/sub-inl.h": private})
        self.refused({"convoy/kernels/add.h": private}, "for the sources of kernels only")
        self.refused({"convoy/io/reader.cc": '#include "convoy/tensor/view-inl.h"\n'}, "for the sources of tensor only")

    def test_unlisted_folder(self):
        self.refused({"convoy/extra/CMakeLists.txt": "convoy_folder(extra)\n"}, "convoy/extra: not listed")

    def test_folder_without_target(self):
        self.refused({"convoy/io/CMakeLists.txt": None}, r"no CMakeLists\.txt")
        self.refused({"convoy/io/CMakeLists.txt": "# nothing\n"}, r"no convoy_folder\(io")

    def test_table_cycle(self):
        table = 'base = ["io"]\ntensor = ["base"]\nio = ["tensor"]\nkernels = ["tensor"]\n'
        status, output = self.run_on("check_layers", {"tools/layers.toml": table})
        self.assertEqual(status, 1, output)
        self.assertIn("a cycle: base -> io -> tensor -> base", output)

    def test_table_names_an_unlisted_folder(self):
        status, output = self.run_on("check_layers", {"tools/layers.toml": 'base = ["ghost"]\n'})
        self.assertEqual(status, 1, output)
        self.assertIn("lists ghost", output)

    def test_table_that_is_no_toml(self):
        status, output = self.run_on("check_layers", {"tools/layers.toml": "base = [\n"})
        self.assertEqual(status, 2, output)

    def test_cmake_dependency_upward(self):
        self.refused({"convoy/base/CMakeLists.txt": "convoy_folder(base DEPS tensor LIBS fmt::fmt)\n"},
                     "DEPS tensor is not what")

    def test_cmake_target_of_another_name(self):
        self.refused({"convoy/io/CMakeLists.txt": "convoy_folder(oi DEPS tensor)\n"}, r"convoy_folder\(oi\)")

    def test_third_party_include_in_a_header(self):
        for header in ("nlohmann/json.hpp", "toml++/toml.h", "curl/curl.h", "png.h", "turbojpeg.h", "oneapi/dnnl/dnnl.hpp",
                       "dnnl.hpp", "CLI/CLI.hpp", "omp.h", "fmt/format.h", "hwy/highway.h", "gtest/gtest.h"):
            with self.subTest(header):
                self.refused({"convoy/io/reader.h": f"#include <{header}>\n"}, "third-party header")
                self.assert_clean("check_layers", changes={"convoy/io/reader.cc": f"#include <{header}>\n"})
        self.refused({"convoy/io/reader.h": '#include "hwy/highway.h"\n'}, "third-party header")
        self.assert_clean("check_layers", changes={"convoy/io/reader.cc": '#include "hwy/highway.h"\n'})


class CheckSizes(CheckerTest):
    def refused(self, changes, expected):
        self.assert_refused("check_sizes", changes, expected)

    def test_clean_tree_passes(self):
        self.assert_clean("check_sizes")

    def test_file_limits(self):
        for name, limit in (("convoy/base/long.h", 300), ("convoy/base/long.cc", 600), ("convoy/base/long_test.cc", 1000)):
            with self.subTest(name):
                self.assert_clean("check_sizes", changes={name: "// line\n" * limit})
                self.refused({name: "// line\n" * (limit + 1)}, rf"{name}: a \w+ of {limit + 1} lines")

    def test_soft_limits_are_counted(self):
        status, output = self.run_on("check_sizes", {"convoy/base/a.h": "\n" * 151, "convoy/base/a.cc": function(31)})
        self.assertEqual(status, 0, output)
        self.assertIn("2 above a soft limit", output)

    def test_function_limits(self):
        self.assert_clean("check_sizes", changes={"convoy/base/f.cc": function(60)})
        self.refused({"convoy/base/f.cc": function(61)}, r"convoy/base/f\.cc:1: a function of 61 lines, at most 60")
        self.assert_clean("check_sizes", changes={"convoy/kernels/f.cc": function(120)})
        self.refused({"convoy/kernels/f.cc": function(121)}, "at most 120")
        self.refused({"convoy/kernels/f_test.cc": function(61)}, "at most 60")

    def test_functions_are_found_wherever_they_stand(self):
        body = " {\n" + "  a();\n" * 60 + "}\n"
        for head in ("void f()", "template <class T>\nT f(T a) requires true", "X::X(int a) : a_{a}, b_(a)",
                     "auto X::operator==(const X&) const noexcept -> bool", "TEST(Suite, Name)", "const auto f = [](int)",
                     "namespace {\nclass X final : public Y<Z()> {\n public:\n  void f() override"):
            tail = "};\n}\n" if head.startswith("namespace") else ""
            with self.subTest(head):
                self.refused({"convoy/base/f.cc": head + body + tail}, r"a function of \d+ lines")

    def test_braces_of_comments_strings_and_tables_do_not_count(self):
        text = ('void f() {\n  // }\n  const char* a = "{";\n  char b = \'{\';\n  const char* c = R"x({{{)x";\n  int d = 1\'000;\n}\n'
                + "const int table[] = {\n" + "    1,\n" * 70 + "};\nnamespace n {\n" + "int g();\n" * 70 + "}\n")
        self.assert_clean("check_sizes", changes={"convoy/base/f.cc": text})

    def test_forbidden_words(self):
        for code in ("int* p = new int;", "delete p;", "delete[] p;", "auto* d = dynamic_cast<D*>(b);",
                     "REGISTER_LAYER(Conv);", "static const bool done = register_layer(conv);",
                     "__attribute__((constructor)) void start();"):
            with self.subTest(code):
                self.refused({"convoy/base/f.cc": code + "\n"}, r"convoy/base/f\.cc:1: ")

    def test_allowed_words(self):
        code = ("#include <new>\nstruct A { A(A&&) = delete; };\nvoid g() { ::operator delete(p, n); q = ::operator new(n); }\n"
                "int newest = renew(1);\n")
        self.assert_clean("check_sizes", changes={"convoy/base/f.cc": code})

    def test_every_test_is_in_a_target(self):
        self.refused({"convoy/orphan/a_test.cc": "\n"}, "convoy/orphan is not built")
        self.refused({"tests/CMakeLists.txt": "# master_test.cc\n"}, "does not name it")
        self.refused({"tests/golden/plan_test.cc": "\n"}, "does not name it")


class RunTests(unittest.TestCase):
    """run_tests with a stand-in for ctest, whose one GoogleTest program has three cases and skips one."""

    CTEST = """#!/bin/sh
cat > "${GTEST_OUTPUT#xml:}/a_test.xml" <<'XML'
<testsuites><testsuite name="Mnist">
  <testcase name="Reads" classname="Mnist"><skipped message="a_test.cc:1&#x0A;no data set here&#x0A;"/></testcase>
  <testcase name="Parses" classname="Mnist"/>
  <testcase name="Fails" classname="Mnist"><failure message="x"/></testcase>
</testsuite></testsuites>
XML
echo "1/1 Test #1: a_test"
echo "$SUMMARY% tests passed, 0 tests failed out of 1"
echo "Total Test time (real) = 0.01 sec"
exit $STATUS
"""

    def run_with(self, expectations, environment=None, status=0, options=()):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("tools", "tests", "bin", "build"):
                (root / name).mkdir()
            shutil.copy(TOOLS / "run_tests", root / "tools" / "run_tests")
            (root / "tests" / "expected_skips.txt").write_text("# reasons\n" + expectations, encoding="utf-8")
            (root / "bin" / "ctest").write_text(self.CTEST, encoding="utf-8")
            (root / "bin" / "ctest").chmod(0o755)
            variables = {key: value for key, value in os.environ.items() if key != "A_FOLDER"}
            variables.update({"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "STATUS": str(status),
                              "SUMMARY": "0" if status else "100"}, **(environment or {}))
            done = subprocess.run([sys.executable, str(root / "tools" / "run_tests"), str(root / "build"), *options],
                                  capture_output=True, text=True, env=variables, check=False)
            return done.returncode, done.stdout + done.stderr

    def test_expected_skip_passes_and_is_named(self):
        status, output = self.run_with("Mnist.Re* | env A_FOLDER | reads the data sets\n")
        self.assertEqual(status, 0, output)
        self.assertRegex(output, r"\b1 skipped:\n  Mnist\.Reads: reads the data sets")
        self.assertTrue(output.endswith("out of 1\nTotal Test time (real) = 0.01 sec\n"), output)

    def test_skip_without_expectation(self):
        status, output = self.run_with("")
        self.assertEqual(status, 1, output)
        self.assertIn("unexpected skip: Mnist.Reads: a_test.cc:1: no data set here", output)

    def test_skip_although_the_need_is_met(self):
        status, output = self.run_with("Mnist.Reads | env A_FOLDER | reads\n", {"A_FOLDER": "/data"})
        self.assertEqual(status, 1, output)
        self.assertIn("env A_FOLDER is there", output)
        self.assertEqual(self.run_with("Mnist.Reads | python json | reads\n")[0], 1)
        self.assertEqual(self.run_with("Mnist.Reads | program sh | reads\n")[0], 1)
        self.assertEqual(self.run_with("Mnist.Reads | program no-such-program | reads\n")[0], 0)

    def test_expectation_that_names_no_test(self):
        expectations = "Mnist.Reads | env A_FOLDER | reads\nMnist.Writes | env A_FOLDER | writes\n"
        status, output = self.run_with(expectations)
        self.assertEqual(status, 1, output)
        self.assertIn("'Mnist.Writes' is the name of no test", output)
        self.assertEqual(self.run_with(expectations, options=("-R", "x"))[0], 0)

    def test_expectations_that_cannot_be_read(self):
        self.assertEqual(self.run_with("Mnist.Reads | env A_FOLDER\n")[0], 1)
        self.assertEqual(self.run_with("Mnist.Reads | weather | sunny\n")[0], 1)

    def test_a_failing_ctest_fails(self):
        status, output = self.run_with("Mnist.Reads | env A_FOLDER | reads\n", status=8)
        self.assertEqual(status, 8, output)


class WorkDepthTable(unittest.TestCase):
    LAYERS = [{"name": "conv1", "op": "Conv", "attributes": "{}", "output_shape": "1x6x4x4", "work": 960, "depth": 4},
              {"name": "conv2", "op": "Conv", "attributes": "{}", "output_shape": "1x6x4x4", "work": 960, "depth": 4},
              {"name": "flatten", "op": "Flatten", "attributes": "{}", "output_shape": "1x96", "work": 0, "depth": 0}]
    REPORT = {"parameters": 60, "macs": 1800, "layers": LAYERS,
              "work_depth": {name: {"work": 1920, "depth": 8} for name in ("forward_of_one", "step")}}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "docs").mkdir()
        (self.root / "tools").mkdir()
        shutil.copy(TOOLS / "work_depth_table", self.root / "tools")
        self.program = self.root / "convoy"
        self.program.write_text(f"#!{sys.executable}\nimport json, sys\n"
                                f"print(json.dumps(dict({self.REPORT!r}, model=sys.argv[2])))\n", encoding="utf-8")
        self.program.chmod(0o755)

    def run_tool(self, *options):
        done = subprocess.run([sys.executable, str(self.root / "tools" / "work_depth_table"), "--program", str(self.program),
                               *options], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_a_table_that_is_not_what_the_program_counts(self):
        self.assertEqual(self.run_tool("--check")[0], 1, "there is none yet")
        self.assertEqual(self.run_tool(), (0, ""))
        self.assertEqual(self.run_tool("--check"), (0, ""))
        table = self.root / "docs" / "work_depth.md"
        text = table.read_text(encoding="utf-8")
        self.assertIn("| conv1 | 2 | Conv | 1x6x4x4 | 960 | 4 | 240 | 1,920 |", text)
        self.assertNotIn("flatten", text)
        table.write_text(text.replace("1,920", "1,921", 1), encoding="utf-8")
        status, output = self.run_tool("--check")
        self.assertEqual(status, 1, output)
        self.assertIn("tools/work_depth_table", output)

    def test_a_program_that_is_missing_or_fails(self):
        self.program.write_text("#!/bin/sh\necho no such model >&2\nexit 2\n", encoding="utf-8")
        status, output = self.run_tool()
        self.assertEqual(status, 1, output)
        self.assertIn("no such model", output)
        self.program.unlink()
        self.assertEqual(self.run_tool()[0], 3)


if __name__ == "__main__":
    unittest.main()
