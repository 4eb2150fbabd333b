"""New processes: import, command line, and the first result with and without cached kernels.

asv runs the returned code in a fresh interpreter.
"""

FIRST_LIMIT = """
import cevns_fast as cf
cf.limit_scan(cf.load("coherent-csi-2017"), [cf.SingletEFT(m) for m in (1.0, 10.0, 40.0)], "C_S")
"""


class Import:
    """`import cevns_fast` loads neither numba nor scipy."""

    def timeraw_import(self):
        return "import cevns_fast"

    def timeraw_help(self):
        return """
        import contextlib, io
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            from cevns_fast.cli import main
            main(["--help"])
        """

    def timeraw_numba_alone(self):
        return "import numba"


class ColdStart:
    """The first limit curve of a process."""

    number, repeat, timeout = 1, 3, 300

    def setup(self):
        import subprocess
        import sys

        subprocess.run([sys.executable, "-c", FIRST_LIMIT], check=True)  # the cache is there

    def timeraw_first_limit_cached(self):
        return FIRST_LIMIT


class Compilation:
    """The same where no kernel has been compiled yet."""

    number, repeat, rounds, warmup_time, timeout = 1, 1, 1, 0, 300

    def timeraw_first_limit_compiled(self):
        return f"""
import os, tempfile
with tempfile.TemporaryDirectory() as folder:
    os.environ["NUMBA_CACHE_DIR"] = folder
{chr(10).join("    " + line for line in FIRST_LIMIT.strip().splitlines())}
"""
