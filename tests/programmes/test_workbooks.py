"""Lists as XLSX."""

from __future__ import annotations

from io import BytesIO

import openpyxl
import pytest

from .conftest import TITLE

pytestmark = pytest.mark.django_db


def rows_of(response):
    assert response.status_code == 200
    return list(openpyxl.load_workbook(BytesIO(response.content)).active.values)


def test_my_applications(sign_in, founder, handed_in):
    view = handed_in()
    heading, row = rows_of(sign_in(founder).get("/applications.xlsx"))
    assert len(heading) == len(row)
    assert row[:2] == (view.reference, TITLE)
    assert row[5] == "선정"


def test_chan_gets_nothing_of_aras(sign_in, chan, handed_in):
    handed_in()
    assert len(rows_of(sign_in(chan).get("/applications.xlsx"))) == 1


def test_waiting_agreements_are_for_staff(sign_in, founder, staff, handed_in):
    view = handed_in()
    assert sign_in(founder).get("/agreements.xlsx").status_code == 403
    (_, row) = rows_of(sign_in(staff).get("/agreements.xlsx"))
    assert row[0] == view.title
    assert len(row[-1]) == 64
