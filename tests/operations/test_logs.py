"""What may be in a log line, and what never is."""

from __future__ import annotations

import io
import json
import logging
import logging.config

import pytest

from bitgoeul.audit import facade as audit
from bitgoeul.site import logs


@pytest.fixture
def written():
    """Write one record through the formatter; the line as data."""
    formatter = logging.config.DictConfigurator(logs.config()).configure_formatter(
        logs.config()["formatters"]["json"]
    )

    def write(act):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        log = logging.Logger("planted")
        log.addHandler(handler)
        act(log)
        return json.loads(stream.getvalue())

    return write


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.PLANTED-123",
        "token bgt_PLANTED_x-1",
        "postgresql://bitgoeul:PLANTED@db/bitgoeul",
        "GET /home/?next=PLANTED&x=1 failed",
        "Cookie: sessionid=PLANTED; csrftoken=PLANTED",
        "/accounts/password/reset/key/1-PLANTED/",
        "PLANTED@example.kr could not be reached",
        "password=PLANTED",
    ],
)
def test_a_secret_in_a_message_an_argument_or_a_traceback_is_hidden(written, text):
    def raised(log):
        try:
            raise ValueError(text)
        except ValueError:
            log.exception("it broke")

    for act in (lambda log: log.warning(text), lambda log: log.warning("saw %s", text), raised):
        assert "PLANTED" not in json.dumps(written(act))


@pytest.mark.parametrize("name", ["password", "api_key", "Cookie", "csrfmiddlewaretoken", "body", "metrics_token"])
def test_a_field_that_is_called_like_a_secret_is_hidden_however_deep(written, name):
    line = written(lambda log: log.warning("x", extra={"deep": {"list": [{name: "PLANTED"}]}, "kept": "seen"}))
    assert "PLANTED" not in json.dumps(line)
    assert line["kept"] == "seen"


def test_a_line_has_time_level_logger_and_request(written):
    with audit.request_context("r-1"):
        line = written(lambda log: log.warning("빛고을", extra={"job": "7"}))
    assert line["timestamp"].endswith("Z")
    del line["timestamp"]
    assert line == {"event": "빛고을", "level": "warning", "logger": "planted", "request_id": "r-1", "job": "7"}


def test_a_line_is_bounded(written):
    assert len(written(lambda log: log.warning("x" * 10**6))["event"]) <= logs.TEXT_LENGTH_MAX + 2
