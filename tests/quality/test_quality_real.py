"""Real sets: known duplicates found, none invented; planted faults found, few false flags."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from quality_planted import COPIES, FAULTS, described

from asclepius.quality.duplicates import grouped, near_duplicates
from asclepius.quality.flags import flags
from asclepius.quality.hashes import parsed
from asclepius.quality.settings import FLAG_NAMES, QualitySettings


def padded(path, side=96):
    """A picture as `resample: {size: [96, 96], fit: pad}` stores it, closely enough."""
    image = Image.open(path).convert("L")
    image.thumbnail((side, side), Image.Resampling.BOX)
    canvas = Image.new("L", (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(canvas)


def pictures(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))


def pairs_of(images):
    table, small = described(images[..., None], text=False)
    found = near_duplicates(small, parsed(table["phash"]), parsed(table["dhash"]), QualitySettings().similarity)
    return list(zip(found["a"], found["b"], strict=True))


def equal_pairs(images):
    """Pairs of equal pixels."""
    first, pairs = {}, []
    for number, image in enumerate(images):
        pairs += [(other, number) for other in first.setdefault(image.tobytes(), [])]
        first[image.tobytes()].append(number)
    return pairs


def test_covid_images_published_twice_are_found_and_no_two_x_rays_are_merged(real_data):
    paths = pictures(real_data / "covid_chest_xray" / "images")
    found = pairs_of(np.stack([padded(path) for path in paths]))
    table = pd.read_csv(real_data / "covid_chest_xray" / "metadata.csv", dtype=str)
    patients = table.groupby("filename")["patientid"].first()
    # Looked at one by one: four pictures of one person, each in two files of different size under two patient ids.
    assert len(found) == 4
    assert {frozenset(patients[paths[k].name] for k in pair) for pair in found} == {frozenset({"97", "178"})}


def test_brain_images_on_both_sides_of_the_official_split_are_found(real_data):
    paths = pictures(real_data / "brain_tumor_mri_2d")
    images = np.stack([padded(path) for path in paths])
    found = pairs_of(images)
    assert set(equal_pairs(images)) <= set(found)
    tokens = pd.Series([str(path) for path in paths])
    _, group = grouped(pd.DataFrame(found, columns=["a", "b"]).assign(hamming=0, correlation=1.0), tokens)
    sides = tokens.str.contains("Training").groupby(group).nunique()
    # Looked at one by one: twelve groups of equal pixels, one of an image compressed twice; the others
    # are neighbouring slices of one patient on one side.
    assert (sides > 1).sum() == 13
    assert len(sides) <= 20


@pytest.mark.study
def test_pneumonia_x_rays_of_one_layout_are_not_merged(real_data):
    arrays = np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz")
    images = np.concatenate([arrays[f"{part}_images"] for part in ("train", "val", "test")])
    found = pairs_of(images)
    print(f"\n{len(images)} X-rays of 28 x 28: {len(found)} pairs, of equal pixels {len(equal_pairs(images))}")
    assert sorted(found) == sorted(equal_pairs(images))


@pytest.mark.study
def test_changed_copies_are_found(real_data):
    folders = {name: pictures(real_data / name) for name in ("covid_chest_xray/images", "brain_tumor_mri_2d")}
    sets = {name: np.stack([padded(path) for path in paths]) for name, paths in folders.items()}
    sets["pneumoniamnist"] = np.load(real_data / "pneumoniamnist" / "pneumoniamnist.npz")["test_images"]
    random = np.random.default_rng(0)
    found = {}
    for name, images in sets.items():
        images = images[:: max(1, len(images) // 150)]
        found[name] = {}
        for change, spoil in COPIES.items():
            copies = np.stack([spoil(image, random) for image in images])
            pairs = pairs_of(np.concatenate([images, copies]))
            found[name][change] = sum(b - a == len(images) for a, b in pairs) / len(images)
    table = pd.DataFrame(found)
    print(f"\nfound, share of copies\n{table.round(3).to_string()}")
    assert table.min().min() >= 0.8
    assert table.drop(columns="pneumoniamnist").min().min() >= 0.98


def swapped(table, small, rows, others, other_small):
    """The table with some images replaced."""
    table, small = table.copy(), small.copy()
    measured = [name for name in table.columns if name not in ("image", "modality", "site", "original_spacing")]
    for name in measured:
        table.loc[table.index[rows], name] = others[name].to_numpy()
    small[rows] = other_small
    return table, small


@pytest.mark.study
def test_planted_faults_are_found(real_data):
    """One class of MedNIST at a time, 200 images: false flags as it is; then ten images spoiled."""
    folder = real_data / "mednist_subset"
    random = np.random.default_rng(0)
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    images = {
        name: np.stack([np.asarray(Image.open(p).convert("L")) for p in pictures(folder / name)]) for name in classes
    }
    base = {name: described(images[name][..., None], text=False) for name in classes}
    chosen, judged = QualitySettings(), [name for name in FLAG_NAMES if name not in ("blank", "burned_in_text")]
    found, false = {}, {}
    for name in classes:
        false[name] = flags(*base[name], chosen)[judged].mean()
        found[name] = {}
        for fault, spoil in FAULTS.items():
            if fault == "burned_in_text":
                continue
            rows = random.permutation(len(images[name]))[:10]
            spoiled = np.stack([spoil(images[name][row], random) for row in rows])
            seen = flags(*swapped(*base[name], rows, *described(spoiled[..., None], text=False)), chosen)
            found[name][fault] = seen[fault].to_numpy()[rows].mean()
        foreign = []
        for other in classes:
            if other != name:
                rows = random.permutation(len(images[name]))[:10]
                seen = flags(*swapped(*base[name], rows, base[other][0][:10], base[other][1][:10]), chosen)
                foreign.append((seen["wrong_body_part"] | seen["wrong_orientation"]).to_numpy()[rows].mean())
        found[name]["wrong_body_part"] = float(np.mean(foreign))
    found, false = pd.DataFrame(found).T, pd.DataFrame(false).T
    print(
        f"\nfound, share of planted\n{found.round(2).to_string()}\nfalse flags, %\n{(100 * false).round(1).to_string()}"
    )
    assert (found[["blurred", "noisy", "saturated", "low_contrast"]].median() >= 0.95).all()
    assert found["wrong_orientation"].median() >= 0.7
    assert false.mean().max() < 0.03
