"""The first step of the canary: the images of a shuffle."""

from pathlib import Path

from asclepius import tables
from asclepius.canary.settings import CanarySettings
from asclepius.canary.shuffle import chosen, groups_of, shuffled
from asclepius.quality.schema import IMAGES
from asclepius.task import Task


def run(*, settings: CanarySettings, shuffle: int, images: Path, task: Path, moved: Path) -> None:
    """Write the study's images, fewer of them, with labels moved between patients.

    Args:
        shuffle: its number.
        images, task: of the quality stage.
        moved: quality/images with other labels; pixels stay where they are.

    Raises:
        StudyError: no image has a label.
    """
    kept = chosen(tables.read(images, IMAGES), Task.read(task), settings)
    found = shuffled(kept, settings, shuffle)
    same = (found["label"] == kept["label"]).mean()
    print(f"shuffle {shuffle}: {len(found)} images of {groups_of(found).max() + 1} patients")
    print(f"labels: {found['label'].value_counts().to_dict()}; by chance {same:.0%} of the images have theirs again")
    tables.write(moved, found, IMAGES)
