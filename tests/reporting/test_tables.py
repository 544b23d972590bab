import pytest

from brainseg.reporting.tables import markdown_table


def test_a_table_lines_up_with_numbers_at_the_right():
    table = markdown_table(
        [("whole_tumor", 0.91234, 12), ("core", float("nan"), None)], ("region", "dice", "n")
    )
    assert table == (
        "| region      |  dice |   n |\n"
        "| ----------- | ----: | --: |\n"
        "| whole_tumor | 0.912 |  12 |\n"
        "| core        |     - |   - |\n".replace(" - ", " \N{EN DASH} ")
    )


def test_a_table_without_rows_is_its_header():
    assert markdown_table([], ("a", "b")) == "| a   | b   |\n| --- | --- |\n"


def test_a_bar_in_a_cell_does_not_end_it():
    assert "a\\|b" in markdown_table([("a|b",)], ("x",))


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="a row has 1 cells, the header has 2"):
        markdown_table([("a",)], ("x", "y"))
