"""The rooms keep their rules, and a planted violation of each is seen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import models
from django.test.utils import isolate_apps

from architecture import rooms

ROOT = Path(__file__).resolve().parents[2]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    # Without PYTHONPATH first, the installed package would be linted instead of the copy.
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("static", "__pycache__", "locale")
    )
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_import_contracts_hold(copy):
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.parametrize(
    ("path", "line", "contract"),
    [
        (
            "ledger/services.py",
            "def late():\n    from bitgoeul.compute import facade\n",
            "imports only rooms below",
        ),
        ("resources/services.py", "from bitgoeul.ledger import models as planted\n", "Others reach ledger only"),
        ("compute/states.py", "import django\n", "know no Django"),
        ("engines/planted.py", "from bitgoeul.compute import services\n", "Others reach compute only"),
        ("planted/__init__.py", "", "imports only rooms below"),
    ],
)
def test_a_planted_import_is_seen(copy, path, line, contract):
    file = copy / "src" / "bitgoeul" / path
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as out:
        out.write("\n" + line)
    result = lint_imports(copy)
    assert result.returncode != 0
    broken = [text for text in result.stdout.splitlines() if contract in text and "BROKEN" in text]
    assert broken or "planted" in result.stdout, result.stdout[-3000:]


def test_banned_calls_are_seen(tmp_path):
    file = tmp_path / "planted.py"
    file.write_text(
        "from django.apps import apps\nfrom django.db.models.signals import post_save\n"
        "import datetime\n\nMODEL = apps.get_model('compute', 'Job')\n"
        "NOW = datetime.datetime.now()\nprint(post_save)\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--select", "TID251",
         "--output-format", "concise", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.stdout.count("TID251") == 3, result.stdout


def test_foreign_keys_point_down_and_protect():
    assert list(rooms.foreign_key_faults(rooms.our_models())) == []


def test_amounts_are_whole_numbers_and_save_hides_nothing():
    chosen = rooms.our_models()
    assert [*rooms.float_faults(chosen), *rooms.save_faults(chosen)] == []


@isolate_apps("bitgoeul.audit", "bitgoeul.accounts")
def test_a_planted_foreign_key_is_seen():
    class High(models.Model):
        amount = models.FloatField()

        class Meta:
            app_label = "accounts"

        def save(self, *args, **kwargs):
            super().save(*args, **kwargs)

    class Low(models.Model):
        up = models.ForeignKey(High, on_delete=models.CASCADE)

        class Meta:
            app_label = "audit"

    High.__module__, Low.__module__ = "bitgoeul.accounts.models", "bitgoeul.audit.models"
    faults = list(rooms.foreign_key_faults([Low]))
    assert [fault.split(" ", 1)[1] for fault in faults] == [
        "points up to accounts",
        "must be on_delete=PROTECT",
        "must have related_name='+'",
    ]
    assert list(rooms.float_faults([High])) == ["accounts.High.amount is not a whole number"]
    assert list(rooms.save_faults([High])) == ["accounts.High.save is overridden"]
