"""The machine's certificate authorities in Java's own format."""

import subprocess
from pathlib import Path

import pytest

from codewave.errors import CodewaveError
from codewave.local import toolchain
from codewave.local.java_trust import PASSWORD, find_bundle, write_trust_store
from codewave.local.settings import load_settings


def test_the_bundle_that_the_environment_names_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert find_bundle() == bundle


def test_a_bundle_that_is_not_there_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    assert find_bundle() == bundle


def test_a_file_without_certificates_is_an_error(tmp_path: Path) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.write_text("nothing", encoding="utf-8")
    with pytest.raises(CodewaveError, match=r"authorities.pem holds no certificates"):
        write_trust_store(bundle, tmp_path / "trust.jks")


def test_java_reads_the_same_number_of_authorities(tmp_path: Path) -> None:
    """The format is Java's own, so Java is the judge of it."""
    bundle = find_bundle()
    assert bundle is not None
    trust_store = tmp_path / "trust.jks"
    count = write_trust_store(bundle, trust_store)
    listed = subprocess.run(_keytool(trust_store), capture_output=True, text=True, check=True).stdout
    assert listed.count("trustedCertEntry") == count


def test_java_refuses_a_damaged_store(tmp_path: Path) -> None:
    bundle = find_bundle()
    assert bundle is not None
    trust_store = tmp_path / "trust.jks"
    write_trust_store(bundle, trust_store)
    content = trust_store.read_bytes()
    trust_store.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert subprocess.run(_keytool(trust_store), capture_output=True, check=False).returncode != 0


def _keytool(trust_store: Path) -> list[str]:
    keytool = toolchain.java_home(load_settings()) / "bin" / "keytool"
    return [str(keytool), "-list", "-keystore", str(trust_store), "-storepass", PASSWORD]
