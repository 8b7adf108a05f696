"""The OpenSearch node of the local stack: one process on loopback, TLS and users by its security plugin.

At the first start in a data folder it makes a certificate of its own and a random password per user; both stay in
that folder, readable only by who started it.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import yaml

from codewave.errors import CodewaveError
from codewave.local import processes
from codewave.local.opensearch import (
    USERS,
    certificate_file,
    create_credentials,
    opensearch_folder,
    search_answers,
    search_client,
    search_credentials,
)
from codewave.local.processes import ProcessSpec
from codewave.local.secret_file import write_secret
from codewave.local.settings import LOOPBACK, PROJECT_ROOT, LocalSettings
from codewave.local.toolchain import find_java, opensearch_home

NAME: Final = "opensearch"
PORTS: Final = ("opensearch", "opensearch_transport")
NOBODY: Final = 65534
"""User the node runs as when root starts the stack: OpenSearch refuses to run as root."""

_SECURITY_FILES: Final = PROJECT_ROOT / "opensearch" / "security"
_START_DEADLINE_S: Final = 180.0
_TOOL_TIMEOUT_S: Final = 60.0
_CERTIFICATE_DAYS: Final = 3650
_ALIAS: Final = "node"
_KEYTOOL: Final = ("-m", "java.base/sun.security.tools.keytool.Main")
"""keytool's own class: every Java runtime has it, also those without the program."""
_HASHER: Final = "org.opensearch.security.tools.Hasher"
_HASHER_VARIABLE: Final = "CODEWAVE_PASSWORD_TO_HASH"

_JAVA_OPTIONS: Final = (
    "-Xshare:auto",
    "-Xss1m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Djava.security.manager=allow",
    "-Djava.locale.providers=SPI,COMPAT",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    "org.opensearch.secure_sm.SecuredForkJoinWorkerThreadFactory",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Dlog4j2.formatMsgNoLookups=true",
    "-Dopensearch.distribution.type=zip",
    "-Dopensearch.bundled_jdk=false",
    # The security plugin opens these packages for its XML and Kerberos libraries.
    "--add-opens=java.base/java.io=ALL-UNNAMED",
)
"""What OpenSearch's start script passes, but for the heap's size and the memory it would claim at once."""

_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] [%node_name]%marker %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.node.name = org.opensearch.node
logger.node.level = info
# It complains of every call before its index is ready, and of passwords in a file that only its owner can read.
logger.security.name = org.opensearch.security
logger.security.level = error
logger.calls.name = org.opensearch.security.auth.BackendRegistry
logger.calls.level = off
"""


def start_opensearch(settings: LocalSettings) -> None:
    """Start the node and wait until it answers; nothing to do if it already does.

    :raises CodewaveError: if it is not installed, a port is in use, or it does not come up.
    """
    if processes.running_pid(settings, NAME):
        if search_answers(settings):
            return
        stop_opensearch(settings)
    processes.check_ports(settings, PORTS)
    _prepare(settings)
    processes.start(settings, _spec(settings))
    processes.wait_until(settings, NAME, lambda: search_answers(settings), _START_DEADLINE_S)
    _initialized(settings).touch()
    _apply_roles(settings)


def stop_opensearch(settings: LocalSettings) -> bool:
    """Stop the node; returns whether it ran. Its indices stay."""
    return processes.stop(settings, NAME)


def _config(settings: LocalSettings) -> Path:
    return opensearch_folder(settings) / "config"


def _initialized(settings: LocalSettings) -> Path:
    """Exists once the node has answered with the users and indices of this data folder."""
    return opensearch_folder(settings) / "initialized"


def _apply_roles(settings: LocalSettings) -> None:
    """Bring the roles to what their file says now; the plugin itself reads it at the first start only."""
    roles = yaml.safe_load((_SECURITY_FILES / "roles.yml").read_text(encoding="utf-8"))
    del roles["_meta"]
    client = search_client(settings)
    for name, role in roles.items():
        client.transport.perform_request("PUT", f"/_plugins/_security/api/roles/{name}", body=role)


def _prepare(settings: LocalSettings) -> None:
    """Write the node's configuration afresh; keep its data, certificate and passwords."""
    folder, config = opensearch_folder(settings), _config(settings)
    if not _initialized(settings).exists():
        # The plugin writes its users once; a start that was cut short may have written half of them.
        shutil.rmtree(folder / "data", ignore_errors=True)
    for part in ("data", "logs", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    config.mkdir(parents=True, exist_ok=True)
    password = create_credentials(settings)[_ALIAS]
    _create_certificate(settings, password)
    _write_security(settings)
    (config / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    write_secret(config / "opensearch.yml", yaml.safe_dump(_node_settings(settings, password)))
    for path in [config, *config.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    for mine in (config, folder / "data", folder / "logs", folder / "tmp"):
        _give(mine, _uid(settings))


def _node_settings(settings: LocalSettings, password: str) -> dict[str, object]:
    folder = opensearch_folder(settings)
    ssl: dict[str, object] = {"transport.enforce_hostname_verification": False, "http.enabled": True}
    for layer in ("transport", "http"):
        for store in ("keystore", "truststore"):
            ssl[f"{layer}.{store}_type"] = "PKCS12"
            ssl[f"{layer}.{store}_filepath"] = f"{store}.p12"
            ssl[f"{layer}.{store}_password"] = password
    return {
        "cluster.name": "codewave-local",
        "node.name": _ALIAS,
        "discovery.type": "single-node",
        "network.host": LOOPBACK,
        "http.port": settings.port("opensearch"),
        "transport.port": settings.port("opensearch_transport"),
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        # A developer's disk is often fuller than the watermarks of a server.
        "cluster.routing.allocation.disk.threshold_enabled": False,
        "plugins.security.ssl": ssl,
        "plugins.security.nodes_dn": ["CN=localhost"],
        "plugins.security.allow_default_init_securityindex": True,
        "plugins.security.restapi.roles_enabled": ["all_access"],
        "plugins.security.audit.type": "noop",
    }


def _spec(settings: LocalSettings) -> ProcessSpec:
    folder, home, uid = opensearch_folder(settings), opensearch_home(settings), _uid(settings)
    heap = f"{settings.opensearch_heap_mb}m"
    options = [
        f"-Xms{heap}",
        f"-Xmx{heap}",
        *_JAVA_OPTIONS,
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        f"-XX:ErrorFile={folder / 'logs'}/hs_err_pid%p.log",
        f"-Dopensearch.path.home={home}",
        f"-Dopensearch.path.conf={_config(settings)}",
    ]
    java = [str(_java(settings)), *options, "-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch"]
    namespaced = os.geteuid() == 0 and uid is None
    return ProcessSpec(
        name=NAME,
        command=[*_USER_NAMESPACE, *java] if namespaced else java,
        folder=home,
        environment={"HOME": str(folder / "tmp")},
        without=("JAVA_TOOL_OPTIONS", "OPENSEARCH_JAVA_OPTS", "_JAVA_OPTIONS"),
        uid=uid,
        ports=PORTS,
    )


_USER_NAMESPACE: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Where a folder on the way is closed to other users, root can still hide that it is root."""


def _uid(settings: LocalSettings) -> int | None:
    """Whom to run as: the caller, unless that is root; then nobody, if nobody may read the node's files."""
    if os.geteuid() != 0:
        return None
    needed = [opensearch_home(settings) / "lib", opensearch_folder(settings), _java(settings)]
    probe = ["/bin/sh", "-c", 'for path; do test -r "$path" || exit 1; done', "sh", *map(str, needed)]
    answer = subprocess.run(probe, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[], check=False)
    return NOBODY if answer.returncode == 0 else None


def _give(folder: Path, uid: int | None) -> None:
    """Hand a folder to the user the node runs as; only root can, and only root needs to."""
    if os.geteuid() != 0:
        return
    owner = uid or 0
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner, owner, follow_symlinks=False)


def _java(settings: LocalSettings) -> Path:
    return find_java(settings).resolve()


def _create_certificate(settings: LocalSettings, password: str) -> None:
    """Make the node's key and self-signed certificate, for ten years, once per data folder."""
    config, public = _config(settings), certificate_file(settings)
    keys, trusted = config / "keystore.p12", config / "truststore.p12"
    if keys.exists() and trusted.exists() and public.exists():
        return
    for file in (keys, trusted, public):
        file.unlink(missing_ok=True)
    common = ["-alias", _ALIAS, "-storetype", "PKCS12", "-storepass:env", "CODEWAVE_STORE_PASSWORD"]
    names = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1", "-validity", str(_CERTIFICATE_DAYS)]
    use = ["-ext", "EKU=serverAuth,clientAuth", "-keyalg", "EC", "-groupname", "secp256r1"]
    environment = {"CODEWAVE_STORE_PASSWORD": password}
    for arguments in (
        ["-genkeypair", *common, *names, *use, "-keystore", str(keys)],
        ["-exportcert", "-rfc", *common, "-keystore", str(keys), "-file", str(public)],
        ["-importcert", "-noprompt", *common, "-keystore", str(trusted), "-file", str(public)],
    ):
        _run_java(settings, [*_KEYTOOL, *arguments], environment)


def _write_security(settings: LocalSettings) -> None:
    """Put the roles and users where the plugin reads them when it creates its index, at the first start."""
    target = _config(settings) / "opensearch-security"
    users_file = target / "internal_users.yml"
    known = users_file.read_text(encoding="utf-8") if users_file.exists() else None
    shutil.copytree(_SECURITY_FILES, target, dirs_exist_ok=True)
    write_secret(users_file, known or _users_yaml(settings))


def _users_yaml(settings: LocalSettings) -> str:
    passwords = {user: search_credentials(settings, user)[1] for user in USERS}
    with ThreadPoolExecutor() as pool:
        hashes = dict(zip(passwords, pool.map(lambda word: _hash(settings, word), passwords.values()), strict=True))
    users = {user: {"hash": hashes[user], "reserved": True, "backend_roles": [user]} for user in USERS}
    return yaml.safe_dump({"_meta": {"type": "internalusers", "config_version": 2}} | users)


def _hash(settings: LocalSettings, password: str) -> str:
    """Hash a password with bcrypt, by the plugin's own tool; the password goes in by the environment, unseen."""
    home = opensearch_home(settings)
    classes = f"{home}/plugins/opensearch-security/*:{home}/lib/*"
    words = ["-XX:TieredStopAtLevel=1", "-cp", classes, _HASHER, "-env", _HASHER_VARIABLE]
    return _run_java(settings, words, {_HASHER_VARIABLE: password}).split()[-1]


def _run_java(settings: LocalSettings, words: list[str], environment: dict[str, str]) -> str:
    command = [str(_java(settings)), *words]
    done = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=_TOOL_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise CodewaveError(f"opensearch: {command[-1]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
