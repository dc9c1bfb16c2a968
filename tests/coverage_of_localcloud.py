"""`make coverage`: which lines of localcloud/ its own tests, the journeys and the command line's tests reach.

Every Python of .venv that starts meanwhile is measured, whatever its environment: functions, machines,
stand-ins in processes of their own. For that a `.pth` file lies in site-packages while the tests run.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "coverage"
HOOK = Path(sysconfig.get_path("purelib")) / "zz_coverage_of_localcloud.pth"
TESTS = ["tests/localcloud", "tests/journeys", "tests/cli"]


SETTINGS = f"""[run]
parallel = true
sigterm = true
source = {ROOT / "localcloud"}
data_file = {FOLDER / "data"}
# Copied beside the clock's file as sitecustomize.py, it runs there, in processes that are not measured.
omit = */localcloud/world/shared_time.py
[report]
show_missing = true
skip_covered = true
fail_under = 100
exclude_also =
    if TYPE_CHECKING:
    if __name__ == .__main__.:
# The last line that its process runs, and what runs between fork and exec: both are tested by what comes of
# them (a stand-in that is killed by a fault, a workload that ends with its machine), none lives to tell.
    os.kill.os.getpid.., signal.SIGKILL.
    def _die_with_parent
"""


def main() -> int:
    """Run the tests, then tell what they did not reach: 0 if they passed and that is nothing."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    settings = FOLDER / "settings.ini"
    settings.write_text(SETTINGS)
    variable = f"os.environ.setdefault('COVERAGE_PROCESS_START', {str(settings)!r})"
    # The variable goes again at once: what a process gives its children is none of ours.
    forget = "os.environ.pop('COVERAGE_PROCESS_START')"
    HOOK.write_text(f"import os; {variable}; import coverage; coverage.process_startup(); {forget}\n")
    python = [sys.executable, "-m"]
    try:
        tests = subprocess.run([*python, "pytest", *(sys.argv[1:] or TESTS)], cwd=ROOT, check=False)
    finally:
        HOOK.unlink()
    coverage, rc = [*python, "coverage"], f"--rcfile={settings}"
    subprocess.run([*coverage, "combine", "--quiet", rc], cwd=ROOT, check=True)
    report = subprocess.run([*coverage, "report", rc], cwd=ROOT, check=False)
    return tests.returncode or report.returncode


if __name__ == "__main__":
    sys.exit(main())
