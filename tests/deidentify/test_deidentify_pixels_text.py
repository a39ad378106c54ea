"""Burned-in text is found in every dress, and anatomy is left alone."""

import stat
import time

import numpy as np
import pixels_cases as cases
import pixels_fit
import pytest

from asclepius.deidentify.pixels import reading, strokes
from asclepius.deidentify.pixels.boxes import painted

WORST_COVER = 0.99  # share of a line's ink


def missed(picture: cases.Picture) -> list[str]:
    boxes = strokes.find_text(picture.image)
    return [
        f"{line.text} {line.height} px, contrast {line.contrast}, {line.style}, turned {line.turn}"
        for line in picture.lines
        if line.legible and cases.covered(line, boxes) < WORST_COVER
    ]


@pytest.mark.parametrize("style", cases.STYLES)
def test_every_font(style):
    rng = np.random.default_rng(1)
    picture = cases.Picture(cases.background("speckle", (240, 600), rng))
    for y, height in ((20, 10), (80, 16), (160, 28)):
        assert cases.write(picture, "DOE^JANE 47110", rng, height=height, style=style, at=(y, 12))
    assert missed(picture) == []


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("finish", ["plain", "outline", "shadow", "box", "blurred"])
def test_every_direction_and_finish(turn, finish):
    rng = np.random.default_rng(2)
    picture = cases.Picture(cases.background("ribs", (300, 300), rng))
    for height, contrast in ((12, 0.4), (20, 0.25)):
        assert cases.write(
            picture, "SMITH 1944-02-11", rng, height=height, contrast=contrast, style="font-0", turn=turn, finish=finish
        )
    assert missed(picture) == []


@pytest.mark.parametrize("height", [7, 10, 20, 40, 60])
def test_every_height(height):
    rng = np.random.default_rng(3)
    picture = cases.Picture(cases.background("head", (512, 512), rng))
    cases.write(picture, "KOWALSKI" if height > 40 else "KOWALSKI 19440211", rng, height=height, at=(20, 10))
    assert missed(picture) == []


@pytest.mark.parametrize("colour", [(0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0)])
def test_coloured_text_on_grey_of_the_same_brightness(colour):
    rng = np.random.default_rng(4)
    grey = cases.background("speckle", (300, 300), rng)
    picture = cases.Picture(np.repeat(grey[..., None], 3, axis=2))
    cases.write(picture, "DOB: 11.02.1944", rng, height=14, colour=colour, at=(10, 10))
    cases.write(picture, "Müller, Anna", rng, height=18, colour=colour, at=(150, 60))
    assert missed(picture) == []


def test_dark_text_on_white():
    rng = np.random.default_rng(5)
    picture = cases.Picture(np.full((300, 300), 255, np.uint8))
    cases.write(picture, "GARCIA LOPEZ 771234", rng, height=11, at=(100, 20))
    assert missed(picture) == []


@pytest.mark.parametrize("turned", [False, True])
def test_a_certain_line_goes_on_over_faint_letters_and_nothing_else(turned):
    """Anatomy behind a line swallows letters of it; what is found of a line must not end there."""
    rows = {
        "certain": ((100, 100, 114, 200), 9.0, 14, True),
        "next": ((101, 215, 114, 230), -1.0, 14, True),
        "after the next": ((100, 250, 115, 270), 0.5, 13, True),
        "far": ((100, 320, 114, 340), 2.0, 14, False),
        "below": ((116, 120, 130, 140), 2.0, 14, False),
        "higher": ((90, 205, 120, 230), 2.0, 30, False),
        "noise": ((100, 80, 114, 95), -3.0, 14, False),
        "uncertain": ((300, 100, 314, 200), 5.0, 14, True),
        "beside the uncertain": ((300, 205, 314, 220), 2.0, 14, False),
    }
    frames, odds, heights, expected = zip(*rows.values(), strict=True)
    frame = np.array(frames)[:, [1, 0, 3, 2] if turned else [0, 1, 2, 3]]
    odds = np.array(odds)
    found = strokes._continued(odds > 4.5, frame, np.array(heights, float), np.full(len(rows), turned), odds)
    assert dict(zip(rows, found.tolist(), strict=True)) == dict(zip(rows, expected, strict=True))


@pytest.mark.parametrize("kind", cases.BACKGROUNDS)
def test_simulated_anatomy_is_left_alone(kind):
    rng = np.random.default_rng(6)
    image = cases.background(kind, (512, 512), rng)
    assert painted(strokes.find_text(image), image.shape).mean() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (8, 8), (24, 25, 3)])
def test_tiny_images(shape):
    rng = np.random.default_rng(7)
    strokes.find_text(rng.integers(0, 256, shape, np.uint8))


def test_boxes_lie_within_the_image():
    rng = np.random.default_rng(8)
    picture = cases.Picture(np.zeros((40, 200), np.uint8))
    cases.write(picture, "DOE^JANE 1944", rng, height=14, at=(4, 4))
    boxes = strokes.find_text(picture.image)
    assert boxes
    assert all(0 <= box.x0 < box.x1 <= 200 and 0 <= box.y0 < box.y1 <= 40 for box in boxes)


def test_the_network_fits_the_measurements():
    import json
    from importlib import resources

    stored = json.loads(resources.files(strokes.__package__).joinpath("strokes.json").read_text())
    assert tuple(stored["inputs"]) == strokes.INPUTS, "traits changed: run tests/deidentify/pixels_fit.py"


def _program(tmp_path, monkeypatch, script: str) -> None:
    path = tmp_path / "tesseract"
    path.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(reading, "available", lambda: str(path))


def _row(confidence: int, word: str) -> str:
    return "\\t".join(["5", "1", "1", "1", "1", "1", "40", "20", "60", "18", str(confidence), word])


@pytest.mark.parametrize(("confidence", "word", "found"), [(80, "DOE", 1), (20, "DOE", 0), (80, "-x-", 0)])
def test_words_of_the_reader(tmp_path, monkeypatch, confidence, word, found):
    _program(tmp_path, monkeypatch, f"printf 'level\\n{_row(confidence, word)}\\n'")
    boxes = reading.read_words(np.zeros((100, 100), np.uint8))
    assert len(boxes) == found
    for box in boxes:  # the image was doubled
        assert box.x0 <= 20
        assert box.x1 >= 50
        assert box.y0 <= 10
        assert box.y1 >= 19


def test_a_failing_or_missing_reader_is_no_obstacle(tmp_path, monkeypatch):
    image = np.zeros((100, 100), np.uint8)
    _program(tmp_path, monkeypatch, "exit 3")
    assert reading.read_words(image) == []
    _program(tmp_path, monkeypatch, "exec sleep 5")
    monkeypatch.setattr(reading, "_TIMEOUT", 0.2)
    assert reading.read_words(image) == []
    monkeypatch.setattr(reading, "available", lambda: None)
    assert reading.read_words(image) == []


@pytest.mark.skipif(reading.available() is None, reason="tesseract is not installed")
def test_tesseract_reads():
    rng = np.random.default_rng(9)
    picture = cases.Picture(np.zeros((120, 400), np.uint8))
    line = cases.write(picture, "GENERAL HOSPITAL", rng, height=20, style="font-0", at=(40, 40))
    assert cases.covered(line, reading.read_words(picture.image)) > 0.95


@pytest.mark.study
def test_recall_and_false_area_over_real_anatomy(real_data):
    """Prints the curves; text of 10 pixels and 15 % contrast is to be covered in 99 of 100 lines.

    Neither fonts nor backgrounds are those of the fit. The curves leave out lines less than three deviations off their
    surroundings; what is found of those is printed too.
    """
    rng = np.random.default_rng(10)
    grounds = pixels_fit.held_out_anatomy()
    begin, pixels = time.monotonic(), sum(image.size for image in grounds)
    areas = [painted(strokes.find_text(image), image.shape).mean() for image in grounds]
    print(f"\nfalse area: median {np.median(areas):.2%}, mean {np.mean(areas):.2%}, worst {np.max(areas):.2%}")
    print(f"{(time.monotonic() - begin) / pixels * 1e6:.2f} s per megapixel")
    found: dict[tuple[str, str], list[bool]] = {}
    for number in range(400):
        picture = pixels_fit.drawn(pixels_fit.cut(grounds[number % len(grounds)], rng), rng, cases.HELD_OUT_STYLES)
        boxes = strokes.find_text(picture.image)
        for line in picture.lines:
            good = cases.covered(line, boxes) >= WORST_COVER
            high = next(f"to {top:2} px" for top in (9, 14, 24, 40, 99) if line.height <= top)
            strong = next(f"to {top:.0%}" for top in (0.14, 0.18, 0.25, 0.4, 1.1) if line.contrast <= top)
            required = "required" if line.height >= 10 and line.contrast >= 0.145 else "beyond"
            if not line.legible:
                found.setdefault(("drowned", required), []).append(good)
                continue
            for key in (("height", high), ("contrast", strong), ("finish", line.style.split()[1]), ("all", required)):
                found.setdefault(key, []).append(good)
    for (what, group), results in sorted(found.items()):
        print(f"{what:9} {group:10} {np.mean(results):6.1%} of {len(results)} lines covered")
    assert np.median(areas) < 0.005
    assert np.mean(found["all", "required"]) >= 0.985
    assert np.mean(found["drowned", "required"]) >= 0.75
