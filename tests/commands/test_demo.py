"""The demo begins with a page by the models that come with brainseg, before it trains its own."""

import pytest

from brainseg.commands import demo


class Stopped(Exception):
    pass


def test_a_page_comes_before_the_first_training(monkeypatch, tmp_path, capsys):
    commands = []

    def note(*arguments, ends_with):
        if arguments[0] == "train":
            raise Stopped
        commands.append(arguments)

    monkeypatch.setattr(demo, "_command", note)
    with pytest.raises(Stopped):
        demo.demo(tmp_path / "demo", spacing_mm=6.0)
    ((program, *settings),) = commands
    assert program == "predict"
    assert settings[0] == f"input={tmp_path / 'demo' / 'first'}"
    assert not [one for one in settings if one.startswith(("skullstripper=", "segmenter=", "classifier="))]
    said = " ".join(capsys.readouterr().out.split())
    assert "a page after" in said
    assert len([*(tmp_path / "demo" / "first").rglob("*.nii.gz")]) >= 4
    demo.clear(tmp_path / "demo" / "first")  # the next demo may remove it
    assert not [*(tmp_path / "demo" / "first").iterdir()]
