from offline_envs.diagnose.report import csv_text


def test_rows_become_csv() -> None:
    rows = [{"name": "a, b", "value": 1 / 3}, {"name": "c", "value": 2}]
    assert csv_text(rows) == 'name,value\n"a, b",0.333333\nc,2\n'
    assert csv_text([]) == ""
