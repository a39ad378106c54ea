"""A chest in millimetres: outline, rib cage, lungs, heart, great vessels, spine.

Shapes are simple solids whose signed distance is cheap; a voxel's HU is a blend by how much of it a tissue covers.
The chest is shorter than a real one (15 cm of lung), so that a volume of two dozen thick slices holds it whole.
Axes: x to the left, y to the back, z to the head, origin at the middle of the chest. Typical HU: Hounsfield units of
Bushberg et al., The Essential Physics of Medical Imaging, 3rd ed., chapter 10.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import affine_transform

AIR, FAT, SKIN, MUSCLE, BLOOD, LIVER = -1000.0, -100.0, 30.0, 50.0, 42.0, 58.0
MEDIASTINUM, MARROW, CORTEX, DISC, CARTILAGE = 15.0, 190.0, 480.0, 85.0, 95.0
LUNG_AT_60, LUNG_PER_YEAR = -845.0, -0.6  # HU: lungs lose tissue with age
VERTEBRA, RIB_STEP = 23.0, 24.0  # mm along z
LATTICE = 14.0  # mm between nodes of the random fields
NODES = (14, 24, 32)  # z, y, x


@dataclass(frozen=True, eq=False)
class Chest:
    """One patient's anatomy, the same at every visit.

    Args:
        cage: inner half-axes of the rib cage (x, y), mm.
        wall, fat: thickness of muscle with ribs, and of fat under the skin, mm.
        breast: size of the breasts, mm; 0 without.
        heart: centre and half-axes, (2, 3), mm.
        aorta: radius, mm.
        rib_phase: height of the ribs, mm.
        lung_hu: mean of healthy lung tissue.
        emphysema: share of the lungs that is destroyed, 0 to 1.
        fields: three smooth random fields over the chest, standard normal at the nodes, (3, z, y, x).
    """

    cage: tuple[float, float]
    wall: float
    fat: float
    breast: float
    heart: np.ndarray
    aorta: float
    rib_phase: float
    lung_hu: float
    emphysema: float
    fields: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, sex: str, age: float) -> "Chest":
        """A chest as sex (F: smaller, breasts, more fat) and age (thinner lung tissue, wider aorta) make it likely."""
        man = sex == "M"
        size = (1.0 if man else 0.96) * rng.normal(1.0, 0.015)
        heart = np.array([[16, -26, -34], [46, 38, 42]]) * size + rng.normal(0, 1.5, (2, 3))
        return cls(
            cage=(133 * size, 95 * size * rng.normal(1.0, 0.015)),
            wall=(17 if man else 14) * size,
            fat=float(np.clip(rng.normal(11 if man else 13, 2), 6, 20)),
            breast=0.0 if man else float(rng.uniform(24, 32)),
            heart=heart,
            aorta=float(11 + 0.06 * (age - 50) + rng.normal(0, 0.8)),
            rib_phase=float(rng.uniform(0, RIB_STEP)),
            lung_hu=float(LUNG_AT_60 + LUNG_PER_YEAR * (age - 60) + rng.normal(0, 6)),
            emphysema=float(np.clip((age - 55) / 110 + rng.normal(0, 0.05), 0, 0.4)),
            fields=rng.standard_normal((3, *NODES)).astype(np.float32),
        )

    def outline(self) -> tuple[float, float]:
        """Half-axes (x, y) of the trunk, mm."""
        return self.cage[0] + self.wall + self.fat, self.cage[1] + self.wall + self.fat

    def spine(self) -> float:
        """y of the middle of the vertebral bodies, mm."""
        return self.cage[1] - 6.0

    def lung_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Signed distance in mm to the surface of the lungs, negative inside; heart, aorta and spine are outside."""
        flat = self._lung_oval(x, y)
        distance = np.maximum(self._lung_side(flat, x, z), self._dome(flat, x) - z)
        distance = np.maximum(distance, -self._heart_distance(x, y, z))
        distance = np.maximum(distance, 21 - np.hypot(x, y - self.spine()))
        return np.maximum(distance, self.aorta + 2 - np.hypot(x - 19, y - self.spine() + 26))

    def _lung_oval(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """1 on the outline of the lung of that side at its widest, 0 in its middle."""
        return _oval(np.abs(x) - 0.53 * self.cage[0], y, 0.45 * self.cage[0], 0.93 * self.cage[1], 2.4)

    def _lung_side(self, flat: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        height = np.where(z > 0, np.abs(z) / 74, 0)
        scale = np.maximum(1 - height**2.6, 0) ** (1 / 2.6)
        return (flat - scale) * np.float32(0.55 * self.cage[0])

    def _dome(self, flat: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Height of the diaphragm, mm; the liver lifts the right one."""
        return -66 + 27 * np.maximum(1 - flat**2, 0) + np.where(x < 0, 7, 0)

    def _heart_distance(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        (cx, cy, cz), (a, b, c) = self.heart.astype(np.float32)
        q = np.sqrt(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2)
        return (q - 1) * np.float32(min(a, b, c))

    def field(self, index: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """One of the random fields at (1, y, x) and (z, 1, 1), evenly spaced; linear between its nodes."""
        steps = [
            (z[1, 0, 0] - z[0, 0, 0], 0, 0),
            (0, y[0, 1, 0] - y[0, 0, 0], x[0, 1, 0] - x[0, 0, 0]),
            (0, y[0, 0, 1] - y[0, 0, 0], x[0, 0, 1] - x[0, 0, 0]),
        ]
        start = np.array([z[0, 0, 0], y[0, 0, 0], x[0, 0, 0]]) / LATTICE + (np.array(NODES) - 1) / 2
        return affine_transform(
            self.fields[index],
            np.array(steps).T / LATTICE,
            start,
            output_shape=(len(z), *x.shape[1:]),
            output=np.float32,
            order=1,
            mode="mirror",
        )

    def tissue(
        self, x: np.ndarray, y: np.ndarray, z: np.ndarray, edge: float, thickness: float, down: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """HU of the chest without the vessels in the lungs, and how much of a voxel is lung, both (z, y, x) float32.

        Args:
            x, y, z: positions that broadcast to (z, y, x), mm.
            edge, thickness: of a voxel in the slice and across it, mm; borders are blurred by as much.
            down: 1 if gravity pulls to the back, -1 if to the front.
        """
        trunk = self._trunk(x, y, z)
        cage = (_oval(x, y, *self.cage, 2.3) - (1 - 0.22 * (np.maximum(z, 0) / 80) ** 2)) * np.float32(
            sum(self.cage) / 2
        )
        fine, coarse = self.field(0, x, y, z), self.field(1, x, y, z)
        hu = np.full(cage.shape, AIR, dtype=np.float32)
        _blend(hu, FAT + 8 * fine, _cover(trunk, edge))
        _blend(hu, SKIN, 0.45 * np.clip(1 - np.abs(trunk + 1.5) / edge, 0, 1))
        if self.breast:
            _blend(hu, 20.0, _cover(self._breast(x, y, z) + 11 + 5 * coarse, 8.0) * np.clip(0.55 + 0.3 * fine, 0, 1))
        _blend(hu, MUSCLE + 6 * fine, _cover(cage - self.wall, edge))
        _blend(hu, *self._ribs(cage, x, y, z, edge, thickness))
        _blend(hu, MEDIASTINUM + 28 * coarse, _cover(cage, edge))
        flat = self._lung_oval(x, y)
        dome = self._dome(flat, x) - z
        abdomen = _cover(np.maximum(-dome - 3, cage + 4), edge)
        _blend(hu, np.where(x < 0, LIVER, 35.0) + 4 * fine, abdomen * _cover(flat - 1.15, 0.2))
        lung = _cover(self._lung_side(flat, x, z), edge) * _cover(dome, thickness)
        lung *= _cover(-self._heart_distance(x, y, z), edge)
        _blend(hu, self._lung_tissue(fine, coarse, y, down), lung)
        _blend(hu, BLOOD + 3 * fine, _cover(self._heart_distance(x, y, z), edge))
        for place, radius, value in (
            ((19, self.spine() - 26), self.aorta, BLOOD),
            ((-8, -24 + 0 * self.aorta), self.aorta + 2, BLOOD),
        ):
            column = _cover(np.hypot(x - place[0], y - place[1]) - radius, edge) * np.ones_like(z)
            _blend(hu, value, column)
            lung *= 1 - column
        lung *= 1 - self._bones(hu, x, y, z, edge, thickness)
        self._airways(hu, x, y, z, edge, thickness)
        return hu, lung

    def _trunk(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        width, depth = self.outline()
        shoulders = 1 - 0.10 * (np.maximum(z, 0) / 80) ** 2
        trunk = (_oval(x, y, width, depth, 2.3) - shoulders) * np.float32((width + depth) / 2)
        return np.minimum(trunk, self._breast(x, y, z)) if self.breast else trunk

    def _breast(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        width, depth = self.outline()
        q = np.sqrt(
            ((np.abs(x) - 0.47 * width) / (1.5 * self.breast)) ** 2
            + ((y + 0.86 * depth) / (1.1 * self.breast)) ** 2
            + ((z + 12) / (1.4 * self.breast)) ** 2
        )
        return (q - 1) * np.float32(self.breast)

    def _lung_tissue(self, fine: np.ndarray, coarse: np.ndarray, y: np.ndarray, down: int) -> np.ndarray:
        """Tissue sags: denser where gravity pulls. Emphysema: patches of air where the coarse field is high."""
        hu = np.float32(self.lung_hu) + np.float32(22 * down / self.cage[1]) * y + 14 * fine
        holes = np.clip((coarse - np.float32(1.2 - 2.6 * self.emphysema)) * 1.5, 0, 1)
        return np.maximum(hu - 75 * holes, -985)

    def _ribs(
        self, cage: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray, edge: float, thickness: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Oblique rings in the wall: each rib sinks to the front, where it turns into cartilage."""
        height = z - 26 * y / self.cage[1] - self.rib_phase
        off = np.abs((height + RIB_STEP / 2) % RIB_STEP - RIB_STEP / 2)
        ring = _cover(np.abs(cage - 6) - 4, edge) * _cover(off - 5, thickness)
        front = y < -0.72 * self.cage[1]
        return np.where(front, CARTILAGE, MARROW + 160).astype(np.float32), ring

    def _bones(
        self, hu: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray, edge: float, thickness: float
    ) -> np.ndarray:
        """Spine and breastbone; returns what they cover."""
        y0 = self.spine()
        body = _oval(x, y - y0, 20.0, 16.0, 2.0) * 18 - 18
        height = np.abs((z + VERTEBRA / 2) % VERTEBRA - VERTEBRA / 2)
        disc = _cover(height - 2.5, thickness)
        vertebra = _cover(body, edge)
        shell = vertebra * np.clip(1 + (body + 2) / 4, 0, 1)
        value = (MARROW + (CORTEX - MARROW) * 0.6 * shell) * (1 - disc) + DISC * disc
        _blend(hu, value, vertebra * np.ones_like(z))
        canal = np.hypot(x, y - y0 - 24) - 9
        arch = _cover(np.abs(canal - 3) - 3, edge)
        process = _cover(np.maximum(np.abs(x) - 3.5, np.abs(y - y0 - 42) - 12), edge)
        _blend(hu, MARROW + 120, np.maximum(arch, process) * (1 - 0.6 * disc))
        front = -self.cage[1] * (1 - 0.22 * (np.maximum(z, 0) / 80) ** 2) - 7
        sternum = _cover(np.maximum(np.abs(x) - 17, np.abs(y - front) - 5), edge)
        _blend(hu, MARROW, sternum)
        return vertebra

    def _airways(
        self, hu: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray, edge: float, thickness: float
    ) -> None:
        """Windpipe above the carina (z = 12 mm), main bronchi below it."""
        carina = 12.0
        below = np.clip(carina - z, 0, 26)
        place = np.where(z > carina, np.abs(x), np.abs(np.abs(x) - 0.9 * below))
        radius = np.where(z > carina, 8.0, 6.0)
        tube = _cover(np.hypot(place, y - 6) - radius, edge) * _cover(carina - 24 - z, thickness)
        _blend(hu, -985.0, tube)


def _oval(x: np.ndarray, y: np.ndarray, a: float, b: float, power: float) -> np.ndarray:
    """Superellipse: 1 on the outline of half-axes a and b, 0 in the middle, growing linearly outwards."""
    return ((np.abs(x) / np.float32(a)) ** power + (np.abs(y) / np.float32(b)) ** power) ** (1 / power)


def _cover(distance: np.ndarray, edge: float) -> np.ndarray:
    """How much of a voxel lies inside a surface at a signed distance, 0 to 1."""
    return np.clip(0.5 - distance / np.float32(edge), 0, 1)


def _blend(hu: np.ndarray, value: np.ndarray | float, cover: np.ndarray) -> None:
    hu += (value - hu) * cover
