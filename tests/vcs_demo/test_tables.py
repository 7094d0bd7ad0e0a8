"""One shape of table, one way to write a figure."""

from vcs_demo.tables import Table, figure, markdown


def test_a_figure_has_its_interval_its_sign_or_a_dash():
    assert figure(0.6314, (0.56, 0.7019)) == "0.631 [0.560, 0.702]"
    assert figure(0.05, (-0.01, 0.11), signed=True) == "+0.050 [-0.010, +0.110]"
    assert figure(0.5, digits=1) == "0.5" and figure(None) == figure(float("nan")) == "–"


def test_no_cell_breaks_a_markdown_table():
    table = Table(["name", "text"], [["a", "one | two\nthree"], ["b", 0.50]], title="Title", notes=["Note."])
    assert table.markdown().splitlines() == [
        "### Title",
        "",
        "| name | text            |",
        "|------|-----------------|",
        "| a    | one ¦ two three |",
        "| b    | 0.5             |",
        "",
        "Note.",
    ]
    assert markdown([Table(["x"], [["1"]]), Table([], [], notes=["end"])]).endswith("| 1 |\n\nend")


def test_csv_is_quoted_throughout():
    assert Table(["a", "b"], [["x,y", 'say "z"'], [1, None]]).csv() == '"a","b"\n"x,y","say ""z"""\n"1",""\n'
