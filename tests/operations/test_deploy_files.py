"""The files in deploy/ are taken by the programs they are for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Debian keeps nginx where only root looks for programs.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def run(*arguments):
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("unit", ["bitgoeul.service", "bitgoeul-backup.service", "bitgoeul-backup.timer"])
def test_systemd_understands_every_line_of_the_units(unit, tmp_path):
    for path in DEPLOY.glob("bitgoeul*"):  # with programs that are here, for those of /opt are not
        text = path.read_text(encoding="utf-8").replace("/opt/bitgoeul/.venv/bin/bitgoeul", "/bin/true")
        (tmp_path / path.name).write_text(text.replace("/opt/bitgoeul/deploy/backup.sh", "/bin/true"))
    done = run("systemd-analyze", "verify", "--man=no", tmp_path / unit)
    complaints = [line for line in done.stderr.splitlines() if "bitgoeul" in line]
    assert complaints == []


@pytest.mark.skipif(NGINX is None or shutil.which("openssl") is None, reason="nginx is not here")
def test_nginx_takes_the_proxy_s_configuration(tmp_path):
    run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj", "/CN=portal.example.kr",
        "-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem")  # fmt: skip
    site = (DEPLOY / "nginx.conf").read_text(encoding="utf-8").replace("/etc/ssl/bitgoeul", str(tmp_path))
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {site} }}")
    done = run(NGINX, "-t", "-c", whole, "-p", tmp_path)
    assert done.returncode == 0, done.stderr
