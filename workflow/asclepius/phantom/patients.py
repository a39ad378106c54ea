"""Who is scanned: sites, patients, visits, and the faults planted in some of their series."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from asclepius.phantom import names
from asclepius.phantom.names import Name
from asclepius.phantom.scanner import SCANNERS, Scanner
from asclepius.phantom.settings import PhantomSettings

OPENED = date(2017, 1, 9)  # first day of the study
DAYS = 900
OLDER_HAVE_MORE = 0.035  # log odds of a nodule per year of age
FEWEST_FOR_LOSSES = 20  # a smaller cohort has no patient to lose to a fault


@dataclass(frozen=True)
class Site:
    """A hospital.

    Args:
        share: of the cohort's patients.
        code: prefix of its patient ids.
    """

    name: str
    institution: str
    address: str
    code: str
    share: float
    scanner: Scanner
    physicians: tuple[str, ...]


SITES = (
    Site("Aurental", "Klinikum Aurental", "Lindenhofgasse 12, Aurental", "AUR", 0.45, SCANNERS[0],
         ("Weissenborg^Cordula^^Dr.", "Ruprechtsau^Emil^^Prof.")),
    Site("Port-Vellec", "CHU de Port-Vellec", "Quai des Sardiniers 4, Port-Vellec", "PVL", 0.33, SCANNERS[1],
         ("Montrevaux^Clothilde^^Dr", "Kerguelven^Yannick^^Dr")),
    Site("Norrsund", "Norrsunds sjukhus", "Granbacksvagen 7, Norrsund", "NRS", 0.22, SCANNERS[2],
         ("Ekenstierna^Greta^^Dr", "Lagerqvista^Nils^^Dr")),
)  # fmt: skip


@dataclass(frozen=True)
class Faults:
    """What is wrong with the series of one visit.

    Args:
        missing: slices left out in one gap.
        truncated: one file is cut within its pixels.
        burned_in: the name is drawn into the pixels.
        copied: the series lies a second time in another folder.
        localiser: the study holds an MR localiser as well.
        dose_page: the study holds a picture of the dose report as well.
    """

    missing: int = 0
    truncated: bool = False
    burned_in: bool = False
    copied: bool = False
    localiser: bool = False
    dose_page: bool = False


@dataclass(frozen=True)
class Visit:
    day: date
    accession: str
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True)
class Patient:
    """Args:
    number: 0, 1, ... ; random streams follow it.
    sick: has nodules.
    """

    number: int
    site: Site
    name: Name
    sex: str
    born: date
    sick: bool
    identifier: str
    address: str
    phone: str
    physician: str
    visits: tuple[Visit, ...]

    def age(self, day: date) -> int:
        """Whole years on a day."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


def enrol(settings: PhantomSettings) -> list[Patient]:
    """The patients of a cohort, in an order that tells nothing of their site or label.

    The number of sick patients is prevalence × patients, rounded, at least one and not all; they are spread over
    the sites as evenly as the sites' sizes allow.
    """
    rng = np.random.default_rng([settings.seed, 0])
    count = settings.patients
    sites = rng.permutation(np.repeat(np.arange(len(SITES)), _apportion(count, [site.share for site in SITES])))
    ages = np.clip(rng.normal(62, 13, count), 31, 88)
    ages[rng.permutation(count)[: count // 60 + 1]] = rng.uniform(90, 95, count // 60 + 1)
    sick = _fall_sick(rng, sites, ages, settings.prevalence)
    twice = _come_twice(rng, sick, settings.second_visits)
    sexes = rng.permutation(np.where(np.arange(count) % 2, "F", "M"))
    people = _name(rng, sexes)
    patients = []
    for i in range(count):
        site = SITES[sites[i]]
        days = [int(rng.integers(DAYS))]
        if twice[i]:
            days.append(days[0] + int(rng.integers(90, 400)))
        visits = tuple(
            Visit(OPENED + timedelta(day), f"{site.code}{int(rng.integers(10**8)):08d}{n}")
            for n, day in enumerate(days)
        )
        patients.append(
            Patient(
                number=i,
                site=site,
                name=people[i],
                sex=str(sexes[i]),
                born=visits[0].day - timedelta(int(ages[i] * 365.25) + int(rng.integers(300))),
                sick=bool(sick[i]),
                identifier=f"{site.code}-{rng.integers(10**6, 10**7)}-{i:04d}",
                address=f"{names.street(rng)} {rng.integers(1, 180)}, {site.name}",
                phone=f"+99 555 {rng.integers(10**6, 10**7)}",
                physician=str(rng.choice(site.physicians)),
                visits=visits,
            )
        )
    return _plant(rng, patients)


def _apportion(total: int, shares: list[float]) -> np.ndarray:
    """Whole numbers in the proportion of the shares that sum to the total (largest remainder)."""
    exact = np.array(shares) / sum(shares) * total
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts


def _fall_sick(rng: np.random.Generator, sites: np.ndarray, ages: np.ndarray, prevalence: float) -> np.ndarray:
    count = len(sites)
    total = min(max(round(prevalence * count), 1), count - 1)
    sizes = np.bincount(sites, minlength=len(SITES))
    quota = _apportion(total, list(sizes))
    sick = np.zeros(count, dtype=bool)
    for site, places in enumerate(quota):
        here = np.flatnonzero(sites == site)
        odds = np.exp(OLDER_HAVE_MORE * (ages[here] - 62))
        sick[rng.choice(here, places, replace=False, p=odds / odds.sum())] = True
    return sick


def _come_twice(rng: np.random.Generator, sick: np.ndarray, share: float) -> np.ndarray:
    """The share of all patients, and the same share of the sick as nearly as it goes."""
    total, ill = round(share * len(sick)), round(share * sick.sum())
    healthy = min(total - ill, int((~sick).sum()))
    twice = np.zeros(len(sick), dtype=bool)
    twice[rng.choice(np.flatnonzero(sick), total - healthy, replace=False)] = True
    twice[rng.choice(np.flatnonzero(~sick), healthy, replace=False)] = True
    return twice


def _name(rng: np.random.Generator, sexes: np.ndarray) -> list[Name]:
    people = [names.latin(number, str(sex), rng) for number, sex in enumerate(sexes)]
    for sex, foreign in names.ELSEWHERE.items():
        for place, name in zip(rng.permutation(np.flatnonzero(sexes == sex)), foreign, strict=False):
            people[place] = name
    return people


def _plant(rng: np.random.Generator, patients: list[Patient]) -> list[Patient]:
    """Give some first visits a fault, one fault to a patient; those that cost a series go to healthy patients first."""
    count = len(patients)
    many = max(1, round(count / 60))
    kept = [Faults(missing=1)] * many + [Faults(copied=True)]
    lost = []
    if count >= FEWEST_FOR_LOSSES:
        kept += [Faults(localiser=True), Faults(dose_page=True)]
        lost = [Faults(truncated=True), Faults(missing=5)] + [Faults(burned_in=True)] * many
    order = rng.permutation(count)
    order = order[np.argsort([patients[i].sick for i in order], kind="stable")]
    losers, rest = order[: len(lost)], rng.permutation(order[len(lost) :])
    changed = list(patients)
    for i, faults in zip([*losers, *rest], lost + kept, strict=False):
        first, *later = patients[i].visits
        changed[i] = replace(patients[i], visits=(replace(first, faults=faults), *later))
    return changed
