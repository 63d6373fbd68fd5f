"""Puts the console's libraries into service/console/vendor, in the versions of package-lock.json: `make vendor`.

npm gets them from the registry of its own configuration, and checks their digests. The same versions give the same
bytes.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[2] / "service" / "console" / "vendor"
_HERE = Path(__file__).parent
_PROJECT_FILES = ("package.json", "package-lock.json", ".npmrc", "echarts.js")
_LIT_DIRECTIVES = ("class-map", "guard", "if-defined", "keyed", "live", "ref", "repeat", "style-map")
_LIT_MODULES = ("async-directive", "directive", "directive-helpers", "lit-html")
_LICENSES = {  # by the file in `vendor`, of what its folder holds
    "echarts/LICENSE": "echarts/LICENSE",
    "echarts/NOTICE": "echarts/NOTICE",
    "echarts/licenses/LICENSE-d3": "echarts/licenses/LICENSE-d3",
    "echarts/licenses/LICENSE-zrender": "zrender/LICENSE",
    "echarts/licenses/LICENSE-tslib": "tslib/LICENSE.txt",
    "lit-html/LICENSE": "lit-html/LICENSE",
}
_FOLDERS = {"echarts": "echarts", "zrender": "echarts", "tslib": "echarts", "lit-html": "lit-html"}


def vendor(target: Path) -> None:
    """Replaces the folder by the libraries, their licenses and versions.json. Raises CalledProcessError, or
    FileNotFoundError without npm.
    """
    with tempfile.TemporaryDirectory() as workshop:
        folder = Path(workshop)
        for name in _PROJECT_FILES:
            shutil.copy(_HERE / name, folder)
        _run(folder, "npm", "ci", "--silent")
        packages = json.loads((folder / "package-lock.json").read_text())["packages"]
        shutil.rmtree(target, ignore_errors=True)
        _copy(folder / "node_modules", target)
        _bundle(folder, target / "echarts" / "echarts.js", packages)
        shutil.copy(_HERE / "echarts.d.ts", target / "echarts")
    versions = {name: _describe(packages[f"node_modules/{name}"], folder) for name, folder in _FOLDERS.items()}
    said = {"packages": versions, "files": digests(target)}
    (target / "versions.json").write_text(json.dumps(said, indent=2) + "\n")


def digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file below the folder but versions.json, by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "versions.json")
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _describe(package: Mapping[str, Any], folder: str) -> dict[str, str]:
    return {**{key: package[key] for key in ("version", "license", "integrity")}, "folder": folder}


def _copy(modules: Path, target: Path) -> None:
    """Copies lit-html as it is, the types of it too, and all licenses."""
    names = [*_LIT_MODULES, *(f"directives/{name}" for name in _LIT_DIRECTIVES)]
    lit = {f"lit-html/{name}{end}": f"lit-html/{name}{end}" for name in names for end in (".js", ".d.ts")}
    for to, origin in {**lit, **_LICENSES}.items():
        (target / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / origin, target / to)


def _bundle(folder: Path, target: Path, packages: Mapping[str, Any]) -> None:
    """Makes one ES module of what the console uses of ECharts. esbuild finds what is used, terser makes it small."""
    version = packages["node_modules/echarts"]["version"]
    preamble = (
        f"/*! Apache ECharts {version}, with ZRender, d3 and tslib: LICENSE, NOTICE and licenses/ beside this file */"
    )
    programs = folder / "node_modules" / ".bin"
    production = '--define:process.env.NODE_ENV="production"'
    _run(folder, programs / "esbuild", "echarts.js", "--bundle", "--format=esm", "--target=es2022", production,
         "--legal-comments=none", "--log-level=warning", "--outfile=bundle.js")  # fmt: skip
    _run(folder, programs / "terser", "bundle.js", "--module", "--compress", "passes=2,ecma=2020", "--mangle",
         "--format", f"preamble={json.dumps(preamble)}", "--output", target)  # fmt: skip


def _run(folder: Path, *command: str | Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


if __name__ == "__main__":
    try:
        vendor(VENDOR)
    except FileNotFoundError as error:
        sys.exit(f"{error.filename}: not there; npm and Node.js are needed")
    except subprocess.CalledProcessError as error:
        sys.exit(str(error))
