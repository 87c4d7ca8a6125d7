"""Builds .venv from requirements.txt: `environment.py run | test | bench`. The Makefile calls it; standard library only.

An environment is reused while its stamp names the pins asked for and its Python, so that a second start needs no network.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ((3, 11), (3, 12), (3, 13))
TORCH_CPU = "https://download.pytorch.org/whl/cpu"  # PyTorch's own public index of CPU builds
# What pip downloads for these pins, in MB, rounded; torch by the build this machine gets.
MEGABYTES = {"run": 210, "test": 290, "peer": 200}
TORCH = {"there": 0, "cpu": 190, "Windows": 120, "Darwin": 110, "gpu": 3000}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROME_ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def main(purpose: str) -> None:
    if sys.version_info[:2] not in PYTHONS:
        stop(f"Python 3.11, 3.12 or 3.13 is needed; this is {platform.python_version()}.")
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#") and (purpose != "run" or "# test only" not in line)]
    pins = [line.split("#")[0].strip() for line in pins]
    provide(ROOT / ".venv", pins, "run" if purpose == "run" else "test")
    if purpose == "test":
        chromium()
    if purpose == "bench":
        torch = next(pin for pin in pins if pin.startswith("torch=="))
        for line in lines:
            if peer := re.match(r"# peer: (\S+?)==\S+( \S+==\S+)*", line):
                provide(ROOT / ".bench" / peer[1], [torch, *peer[0].split()[2:]], "peer")


def provide(home: Path, pins: list[str], what: str) -> None:
    """See to it that the environment at `home` holds these pins: reuse it, complete it, or create it."""
    stamp = home / ".lookback.json"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if stamp.is_file() and (release := release_of(python)):
        built = json.loads(stamp.read_text(encoding="utf-8"))
        if built["python"] == release and set(pins) <= set(built["pins"]):
            return
    stamp.unlink(missing_ok=True)
    if release_of(python) is None:
        create(home)
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    build, index = torch_build(python, torch)
    print(f"Installing into {home.relative_to(ROOT)}: {download(build, MEGABYTES[what])}.", flush=True)
    if index and pip(python, "install", "--no-deps", *index, torch):
        print("PyTorch's index of CPU builds did not deliver; asking pip's usual one, which may take far more.", flush=True)
    if pip(python, "install", *pins):
        stop("pip could not install what is needed, for the reason above (most often the network); mend it and run make again.")
    stamp.write_text(json.dumps({"python": release_of(python), "pins": pins}), encoding="utf-8")


def create(home: Path) -> None:
    print(f"Creating {home.relative_to(ROOT)} with Python {platform.python_version()}.", flush=True)
    make = [sys.executable, "-m", "venv", "--clear", str(home)]
    package = f"python3.{sys.version_info.minor}-venv"
    made = subprocess.run(make, capture_output=True, text=True)
    if made.returncode and debian(package):
        made = subprocess.run(make, capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(home, ignore_errors=True)
        print((made.stderr or made.stdout).strip(), file=sys.stderr)
        stop(f"this Python could not create a virtual environment; on Debian and Ubuntu, install {package} and run make again.")


def torch_build(python: Path, torch: str) -> tuple[str, list[str]]:
    """The build of torch this machine will get (a key of TORCH, or "unknown"), and where to take it from if not as usual.

    An index or folder that pip was told of is respected. Otherwise Linux without an NVIDIA GPU takes PyTorch's CPU build.
    """
    release = torch.split("==")[1]
    code = "from importlib.metadata import version; print(version('torch').split('+')[0])"
    if say(python, "-c", code) == release:
        return "there", []
    if platform.system() != "Linux":
        return platform.system() if platform.system() in TORCH else "unknown", []
    usual = releases(python)
    if f"{release}+cpu" in usual:
        return "cpu", []
    told = re.search(r"\.(index-url|extra-index-url|find-links|no-index)=", say(python, "-m", "pip", "config", "list"))
    if not told and not shutil.which("nvidia-smi"):
        index = ["--index-url", TORCH_CPU, "--retries", "1", "--timeout", "15"]
        if {release, f"{release}+cpu"} & releases(python, *index):
            return "cpu", index
    return "gpu" if usual else "unknown", []


def download(build: str, rest: int) -> str:
    """How much there is to download, in words."""
    large = f"{(TORCH['gpu'] + rest) / 1000:.1f} GB"
    if build == "there":
        return f"at most {rest} MB to download (torch is there already)"
    if build == "gpu":
        return f"about {large} to download, nearly all of it the GPU build of torch (README: the CPU build takes {TORCH['cpu']} MB)"
    if build == "unknown":
        return f"{TORCH['cpu'] + rest} MB to download with the CPU build of torch, {large} with the GPU build; pip cannot say which"
    return f"about {TORCH[build] + rest} MB to download ({TORCH[build]} MB of it torch)"


def releases(python: Path, *options: str) -> set[str]:
    """The releases of torch that pip finds for this Python, as configured here; empty where it cannot say."""
    words = say(python, "-m", "pip", "index", "versions", "torch", *options)
    found = re.search(r"Available versions: (.+)", words)
    return set(found[1].split(", ")) if found else set()


def chromium() -> None:
    """The browser tests drive a Chromium that is on the machine; Debian's is fetched where that is allowed."""
    if any(map(shutil.which, CHROMIUM)) or CHROME_ON_MACOS.exists():
        return
    if not debian("chromium") or not any(map(shutil.which, CHROMIUM)):
        stop("the browser tests need Chromium, which could not be installed here; install it (or Chrome) and run make test again.")


def debian(package: str) -> bool:
    """Install a Debian package, as root or where sudo asks no password. False where that cannot be done."""
    if not shutil.which("apt-get"):
        return False
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if rights and (not shutil.which("sudo") or subprocess.run([*rights, "true"], capture_output=True).returncode):
        return False
    print(f"Installing Debian's {package} (apt-get).", flush=True)
    quiet = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    subprocess.run([*quiet, "update"], stdout=subprocess.DEVNULL)
    return subprocess.run([*quiet, "install", "-y", "--no-install-recommends", package], stdout=subprocess.DEVNULL).returncode == 0


def release_of(python: Path) -> str | None:
    """That Python's version, or None where it is missing, broken, without pip, or one that Lookback does not run on."""
    words = say(python, "-c", "import sys, pip; print(*sys.version_info[:3], sep='.')")
    return words if tuple(map(int, words.split(".")[:2] if words else ())) in PYTHONS else None


def say(python: Path, *words: str) -> str:
    """What a command of that Python prints; nothing where it fails."""
    try:
        done = subprocess.run([str(python), *words], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def pip(python: Path, *words: str) -> int:
    return subprocess.run([str(python), "-m", "pip", *words, "--disable-pip-version-check", "--no-input"]).returncode


def stop(sentence: str) -> None:
    sys.exit(f"Lookback: {sentence}")


if __name__ == "__main__":
    main(sys.argv[1])
