"""Set-up: installs into ``.cache`` and ``.venv-flink`` what the local stack needs and the machine has not.

``python -m codewave.local.install``, which ``make setup`` runs; quick when there is nothing to do.
"""

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from codewave.errors import CodewaveError
from codewave.local import toolchain
from codewave.local.install_steps import Step, console, run_command, run_lanes
from codewave.local.java_trust import find_bundle, write_trust_store
from codewave.local.opensearch_modules import write_descriptors
from codewave.local.settings import PROJECT_ROOT, LocalSettings, load_settings

LOCK_FILES: Final = (PROJECT_ROOT / "uv.lock", PROJECT_ROOT / "pyproject.toml")
CONNECTORS: Final = PROJECT_ROOT / "flink_jobs" / "connectors"
CATALOG: Final = PROJECT_ROOT / "deploy" / "catalog-server"
OPENSEARCH: Final = PROJECT_ROOT / "deploy" / "opensearch-node"
KINESIS: Final = PROJECT_ROOT / "codewave" / "local" / "kinesis_package"


def main() -> None:
    """Install what is missing; a failure is one line on standard error and exit code 1."""
    started = time.monotonic()
    try:
        settings = load_settings()
        with _one_at_a_time(settings):
            done = run_lanes(settings, lanes(settings))
    except CodewaveError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    if done:
        console.print(f"setup: everything is installed, in {time.monotonic() - started:.0f} s", markup=False)


def lanes(settings: LocalSettings) -> list[list[Step]]:
    """The steps, in lanes that run beside each other: what Java builds, and the rest."""
    java = [] if toolchain.machine_java_home() else [java_step(settings)]
    node = [] if toolchain.machine_node() else [node_step(settings)]
    return [
        [*java, connectors_step(settings), catalog_step(settings), opensearch_step(settings)],
        [*node, kinesis_step(settings), flink_step(settings)],
    ]


def flink_step(settings: LocalSettings) -> Step:
    """The Python environment of the Flink jobs."""
    groups = ["--no-default-groups", "--group", "flink"]
    return Step(
        name="the Flink environment",
        takes="30 s and 450 MB of downloads the first time",
        output=PROJECT_ROOT / ".venv-flink" / "bin" / "python",
        inputs=LOCK_FILES,
        install=lambda: _sync(settings, "flink", PROJECT_ROOT / ".venv-flink", groups),
    )


def java_step(settings: LocalSettings) -> Step:
    """A Java 17 runtime, for machines without one."""
    return Step(
        name="Java 17",
        takes="60 MB",
        output=toolchain.own_java_home(settings) / "bin" / "java",
        inputs=LOCK_FILES,
        install=lambda: _sync(settings, "java", settings.cache / "java", ["--only-group", "java"]),
    )


def node_step(settings: LocalSettings) -> Step:
    """Node and npm, for machines without them."""
    return Step(
        name="Node",
        takes="60 MB",
        output=toolchain.own_node_folder(settings) / "bin" / "node",
        inputs=LOCK_FILES,
        install=lambda: _sync(settings, "node", settings.cache / "node", ["--only-group", "node"]),
    )


def kinesis_step(settings: LocalSettings) -> Step:
    """The stream emulator, from npm."""

    def install() -> None:
        folder = settings.cache / "kinesis"
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(KINESIS / file, folder / file)
        options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        # npm is a script that looks for node on the path.
        path = f"{toolchain.find_node(settings).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        command = [*toolchain.npm_command(settings), *options]
        environment = {"PATH": path} | _node_trust()
        run_command(settings, "stream-emulator", command, folder=folder, environment=environment)

    return Step(
        name="the stream emulator",
        takes="a second",
        output=settings.cache / "kinesis" / "node_modules" / "kinesis-local" / "main.js",
        inputs=(KINESIS,),
        install=install,
    )


def connectors_step(settings: LocalSettings) -> Step:
    """The connector jar: compiled, tested and shaded by Maven."""
    output = settings.cache / "connectors" / "connectors.jar"

    def install() -> None:
        _maven(settings, "connector-jar", CONNECTORS)
        _move(CONNECTORS / "target" / "connectors.jar", output)

    return Step(
        name="the connector jar",
        takes="a minute, and 280 MB of downloads the first time",
        output=output,
        inputs=(CONNECTORS / "pom.xml", CONNECTORS / "src"),
        install=install,
    )


def catalog_step(settings: LocalSettings) -> Step:
    """The catalog server and what it runs with."""
    folder = settings.cache / "catalog" / "lib"

    def install() -> None:
        _maven(settings, "catalog-server", CATALOG)
        _move(CATALOG / "target" / "lib", folder)

    return Step(
        name="the catalog server",
        takes="10 s, and 90 MB of downloads the first time",
        output=folder / "catalog-server.jar",
        inputs=(CATALOG / "pom.xml", CATALOG / "src"),
        install=install,
    )


def opensearch_step(settings: LocalSettings) -> Step:
    """The OpenSearch node with its modules and the security plugin."""
    version = toolchain.OPENSEARCH_VERSION
    home = settings.cache / "opensearch" / f"opensearch-{version}"

    def install() -> None:
        new = settings.cache / "opensearch" / ".new"
        shutil.rmtree(new, ignore_errors=True)
        options = [f"-Dnode.folder={new}", f"-Dopensearch.version={version}"]
        _maven(settings, "opensearch-node", OPENSEARCH, goal="initialize", options=options)
        write_descriptors(new / home.name, version)
        _install_security(settings, new / home.name, new / f"opensearch-security-{version}.0.zip")
        _let_everyone_read(new / home.name)
        (new / home.name / ".ready").touch()
        _move(new / home.name, home)
        shutil.rmtree(new)

    return Step(
        name="the OpenSearch node",
        takes="20 s, and 110 MB of downloads the first time",
        output=home / ".ready",
        inputs=(OPENSEARCH / "pom.xml", Path(__file__).with_name("opensearch_modules.py")),
        install=install,
    )


def _sync(settings: LocalSettings, name: str, environment: Path, groups: list[str]) -> None:
    """Bring a Python environment to what the lock file says for these groups."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(settings.cache / "bin" / "uv")
    command = [uv, "sync", "--frozen", "--no-install-project", *groups]
    variables = {"UV_PROJECT_ENVIRONMENT": str(environment), "VIRTUAL_ENV": ""}
    run_command(settings, f"{name}-environment", command, environment=variables)


def _maven(
    settings: LocalSettings, name: str, folder: Path, goal: str = "package", options: list[str] | None = None
) -> None:
    """Build a Maven project anew, with the Java the stack runs on and the machine's certificate authorities."""
    shutil.rmtree(folder / "target", ignore_errors=True)
    bundle = find_bundle()
    if bundle:
        write_trust_store(bundle, toolchain.java_trust_store(settings))
    environment = {
        "JAVA_HOME": str(toolchain.java_home(settings)),
        "MAVEN_USER_HOME": str(settings.cache / "maven"),  # where the wrapper keeps the Maven it downloads
    }
    command = [*toolchain.maven_command(settings), *(options or []), goal]
    run_command(settings, name, command, folder=folder, environment=environment)


def _node_trust() -> dict[str, str]:
    """Node, too, brings its own authorities: name it the machine's, unless somebody has."""
    bundle = find_bundle()
    return {"NODE_EXTRA_CA_CERTS": os.environ.get("NODE_EXTRA_CA_CERTS") or str(bundle)} if bundle else {}


def _install_security(settings: LocalSettings, home: Path, plugin: Path) -> None:
    # The plugin tool takes its folder from where it lies, but its Java only from the environment.
    environment = {"OPENSEARCH_JAVA_HOME": str(toolchain.java_home(settings)), "JAVA_TOOL_OPTIONS": ""}
    command = ["bash", str(home / "bin" / "opensearch-plugin"), "install", "--batch", plugin.as_uri()]
    run_command(settings, "opensearch-security", command, environment=environment)


def _let_everyone_read(folder: Path) -> None:
    """OpenSearch does not run as root: it must read its files as somebody else, and the plugin tool keeps some back."""
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        executable = 0o111 if path.is_dir() or mode & 0o100 else 0
        path.chmod(mode | 0o444 | executable)


def _move(source: Path, target: Path) -> None:
    """Put a file or folder in the place of an old one, as late and as quickly as can be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    source.replace(target)


@contextmanager
def _one_at_a_time(settings: LocalSettings) -> Iterator[None]:
    """Two set-ups of one clone would build into each other's folders: the second waits."""
    settings.cache.mkdir(parents=True, exist_ok=True)
    with (settings.cache / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("setup: another set-up of this project is running; waiting for it", markup=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
