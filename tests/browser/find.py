"""Finds the browser that the tests drive, or installs one; a machine without any is an error, never a skip."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A name that resolves to this machine, as that of a hostile page does after it was rebound.
REBOUND = "rebound.test"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--process-per-site"]
FLAGS += [f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"]


def system_browser() -> str | None:
    """The path of a Chromium that this machine has."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def launch_options() -> dict[str, object]:
    """Keyword arguments for `playwright.chromium.launch`; without a system browser, Playwright's own is used."""
    path = system_browser()
    return {"args": FLAGS, "executable_path": path} if path else {"args": FLAGS}


def main() -> int:
    """Make sure that there is a browser: the system's, else Debian's where this is root, else Playwright's own."""
    if system_browser():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("no Chromium found: installing Debian's", flush=True)
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]
        if system_browser():
            return 0
    done = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if done.returncode:
        print(
            "The browser tests need Chromium, and none could be found or installed. Install it and run make test again."
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
