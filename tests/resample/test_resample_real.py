"""Real sets from the container to the store: every file is stored where it lies, or set aside for a true reason."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from resample_cases import item, shared

from asclepius.resample import nifti
from asclepius.resample.geometry import Grid, canonical, target
from asclepius.resample.interpolate import resample


def places_agree(path, grid: Grid) -> None:
    """World positions of the turned grid's voxels against SimpleITK and nibabel, to 1e-3 mm."""
    peer, image = sitk.ReadImage(str(path)), nibabel.load(path)
    last = [n - 1 for n in grid.shape[::-1]]
    for voxel in [(0, 0, 0), (last[0], 0, 0), (0, last[1], 0), (0, 0, last[2]), last]:
        here = grid.affine[:3, :3] @ voxel + grid.affine[:3, 3]
        index = np.rint(peer.TransformPhysicalPointToContinuousIndex(here.tolist())).astype(int)
        np.testing.assert_allclose(peer.TransformIndexToPhysicalPoint(index.tolist()), here, atol=1e-3)
        ras = nibabel.affines.apply_affine(image.affine, index) * [-1, -1, 1]
        np.testing.assert_allclose(ras, here, atol=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        "head_mr_face/T1_head.nii.gz",
        "ms_lesion_mri/patient07/FLAIR_regtoMNI.nii.gz",
        "ms_lesion_mri/patient07/GOLD_STANDARD_regtoMNI.nii.gz",
        "hippocampus_msd/images/hippocampus_190.nii.gz",
        "hippocampus_msd/labels/hippocampus_190.nii.gz",
    ],
)
def test_voxels_lie_where_simpleitk_and_nibabel_say(name):
    path = shared(name)
    scan = nifti.read(path.read_bytes())
    pixels, grid = canonical(scan.pixels, scan.grid)
    places_agree(path, grid)
    # Stored voxels, too: a voxel of the target grid has the value that SimpleITK finds at its place.
    goal = target(grid, [20, 24, 28], [2.3, 2.1, 1.9], "stretch")
    peer = sitk.ReadImage(str(path), sitk.sitkFloat32)
    found = resample(pixels, grid, goal, "nearest", 0.0)[..., 0]
    agree = total = 0
    for voxel in np.random.default_rng(1).integers(0, [28, 24, 20], (300, 3)):
        here = goal.affine[:3, :3] @ voxel + goal.affine[:3, 3]
        index = np.array(peer.TransformPhysicalPointToContinuousIndex(here.tolist()))
        if ((index < 0) | (index > np.array(peer.GetSize()) - 1)).any() or np.abs(index % 1 - 0.5).min() < 0.01:
            continue
        total += 1
        agree += found[tuple(voxel[::-1])] == pytest.approx(peer[[int(n) for n in np.rint(index)]], rel=1e-5)
    assert agree == total > 50


def test_four_sequences_of_a_visit_are_the_channels_of_one_image(stage):
    folder = shared("ms_lesion_mri") / "patient07"
    names = ("T1", "T1POST", "T2", "FLAIR")
    files = [(folder / f"{name}_regtoMNI.nii.gz").read_bytes() for name in names]
    mask = (folder / "GOLD_STANDARD_regtoMNI.nii.gz").read_bytes()
    entry = item("a", "nifti", files, modality="MR", mask_data=mask)
    done = stage([entry], size=[91, 109, 91], spacing=[2.0, 2.0, 2.0], channels=4, dtype="float32")
    assert done.store.shape == (1, 91, 109, 91, 4)
    single = stage(
        [item("a", "nifti", files[3:], modality="MR")], size=[91, 109, 91], spacing=[2.0] * 3, dtype="float32"
    )
    np.testing.assert_array_equal(done.store[..., 3:], single.store)
    assert done.masks.sum() == pytest.approx(1300 / 8, rel=0.15)
    assert done.index.loc["a", "note"] is None


def hippocampi(count: int | None) -> list[dict]:
    folder = shared("hippocampus_msd")
    return [
        item(
            path.name[12:15], "nifti", [path.read_bytes()], modality="MR",
            mask_data=(folder / "labels" / path.name).read_bytes(),
        )
        for path in sorted((folder / "images").glob("*.nii.gz"))[:count]
    ]  # fmt: skip


@pytest.mark.study
def test_all_hippocampi_keep_their_scale_and_their_volume(stage):
    """Two intensity scales: the store keeps both as measured; volumes of the labels are those of the originals."""
    items = hippocampi(None)
    done = stage(items, size=[64, 64, 64], spacing=[1.0, 1.0, 1.0], dtype="float32")
    assert (len(done.index), len(done.quarantine), len(done.masks)) == (100, 0, 100)
    assert (done.index["maximum"] > 1e5).sum() == 15
    for entry in items:
        row = done.index.loc[entry["image"]]
        original = nifti.read(entry["mask_data"]).pixels
        for label in (1, 2):  # on a 1 mm grid with room to spare every voxel finds its place
            assert (done.masks[row["mask_row"]] == label).sum() == (original == label).sum()


def test_nuclei_of_any_size_and_with_transparency(stage):
    folder = shared("nuclei_dsb2018")
    paths = sorted(folder.glob("*/images/*.png"))
    items = []
    for number, path in enumerate(paths):
        masks = [np.asarray(Image.open(one)) for one in sorted(path.parents[1].glob("masks/*.png"))[:1]]
        items.append(item(f"{number}", "picture", [path.read_bytes()], boxes=json.dumps([box(masks[0])])))
    done = stage(items, size=[128, 128], fit="pad", channels=3, dtype="uint8")
    assert (len(done.index), len(done.quarantine)) == (len(paths), 0)
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            assert json.loads(done.index.loc[str(number), "original_shape"]) == list(image.size[::-1])


def box(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [int(columns.min()), int(rows.min()), 0, int(columns.max()) + 1, int(rows.max()) + 1, 1]


def test_fundus_photographs_and_their_vessels(stage):
    """Thin structures: what each way of resampling masks keeps of them."""
    folder = shared("retina_vessels_chasedb1")
    items = [
        item(
            path.stem, "picture", [path.read_bytes()],
            mask_data=(folder / f"{path.stem}_1stHO.png").read_bytes(),
        )
        for path in sorted(folder.glob("*.jpg"))[:4]
    ]  # fmt: skip
    share = {}
    for method in ("nearest", "linear"):
        done = stage(items, size=[240, 250], channels=3, dtype="uint8", mask_interpolation=method, crop="foreground")
        assert len(done.masks) == 4
        share[method] = (done.masks > 0).mean()
        assert done.index["crop"].notna().all()
    assert share["linear"] == pytest.approx(share["nearest"], rel=0.1)


@pytest.mark.study
def test_all_chest_films(stage):
    folder = shared("covid_chest_xray")
    paths = sorted((folder / "images").iterdir())
    items = []
    for path in paths:
        mask = folder / "lung_masks" / f"{path.stem}_mask.png"
        items.append(
            item(
                path.name, "picture", [path.read_bytes()], **({"mask_data": mask.read_bytes()} if mask.exists() else {})
            )
        )
    done = stage(items, size=[128, 128], fit="pad", dtype="uint8")
    assert len(done.index) + len(done.quarantine) == len(paths)
    assert len(done.quarantine) == 0
    assert len(done.masks) == sum("mask_data" in entry for entry in items)


def test_nrrd_volumes_converted_to_nifti_lie_where_they_did(stage, tmp_path):
    """NRRD itself is not read; its voxels come through NIfTI unmoved."""
    folder = shared("radiomics_reference")
    for name, mask in (
        ("brain1_image", "brain1_label"),
        ("prostate_phantom_subvolume", "prostate_phantom_subvolume-label"),
    ):
        data = {}
        for one in (name, mask):
            sitk.WriteImage(sitk.ReadImage(str(folder / f"{one}.nrrd")), str(tmp_path / "one.nii.gz"))
            data[one] = (tmp_path / "one.nii.gz").read_bytes()
        peer = sitk.ReadImage(str(folder / f"{name}.nrrd"))
        scan = nifti.read(data[name])
        for voxel in [(0, 0, 0), tuple(n - 1 for n in peer.GetSize())]:
            here = scan.grid.affine[:3, :3] @ voxel + scan.grid.affine[:3, 3]
            np.testing.assert_allclose(here, peer.TransformIndexToPhysicalPoint(voxel), atol=1e-3)
        size, spacing = list(peer.GetSize()[::-1]), [float(step) for step in peer.GetSpacing()[::-1]]
        done = stage(
            [item("a", "nifti", [data[name]], mask_data=data[mask])], size=size, spacing=spacing, dtype="float32"
        )
        assert done.index.loc["a", "note"] is None
        label = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{mask}.nrrd")))
        assert (done.masks > 0).sum() == (label > 0).sum()
