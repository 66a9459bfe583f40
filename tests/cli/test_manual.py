# SPDX-License-Identifier: Apache-2.0
"""Help, manual pages and completion come from one table: each names every option, and their forms are sound."""
import re
import shutil
import subprocess
import unittest

from cli_case import COMMAND, call


def commands():
    text = call("help")[0]
    return re.findall(r"^  (\w+) +\S", text.split("Commands:")[1], re.M)


def options(command):
    return re.findall(r"^ {2,6}(?:-\w, )?--([\w-]+)", call("help", command)[0], re.M)


class Manual(unittest.TestCase):
    def test_every_command_is_there(self):
        self.assertTrue({"build", "run", "bench", "calibrate", "inspect", "compare", "eval", "check", "devices"} <=
                        set(commands()))

    def test_pages_name_every_option(self):
        for command in commands():
            page = call("help", "--man", command)[0].replace("\\-", "-")
            for option in options(command):
                self.assertIn("Fl -" + option, page, command)

    def test_help_says_the_same_twice(self):
        for command in commands():
            self.assertEqual(call(command, "--help")[0], call("help", command)[0])
            self.assertGreater(len(options(command)), 2)

    def test_no_line_of_help_is_longer_than_a_terminal(self):
        for command in commands():
            for line in call("help", command)[0].split("\nExamples:")[0].split("\n"):
                self.assertLessEqual(len(line), 110, line)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not there")
    def test_pages_are_sound(self):
        for command in [None] + commands():
            page = call("help", "--man", *([command] if command else []))[0]
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=page.encode(), stdout=subprocess.PIPE)
            self.assertEqual(done.stdout.decode(), "", command)

    @unittest.skipUnless(shutil.which("bash"), "bash is not there")
    def test_completion(self):
        script = call("help", "--completion")[0]

        def complete(*words):
            ask = script + '\nCOMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ferry; printf "%s\\n" "${COMPREPLY[@]}"'
            done = subprocess.run(["bash", "-c", ask, "bash", *words], stdout=subprocess.PIPE, check=True)
            return done.stdout.decode().split()

        self.assertEqual(complete("ferry", "cal"), ["calibrate"])
        self.assertEqual(complete("ferry", "build", "--calib-al"), ["--calib-algo"])
        self.assertEqual(complete("ferry", "build", "--calib-algo", "perc"), ["percentile"])
        self.assertIn("letterbox", complete("ferry", "build", "--resize", ""))
        for command in commands():
            self.assertEqual(sorted(complete("ferry", command, "--")), sorted("--" + o for o in options(command)))


if __name__ == "__main__":
    unittest.main()
