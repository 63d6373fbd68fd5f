"""Holds the projects of the sample traffic, their users, and the types of job."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobType:
    """Describes a type of job: its share of all jobs, and how long it runs and how much it reads (medians)."""

    name: str
    weight: float
    run_minutes: float
    input_gigabytes: float
    failed_share: float


@dataclass(frozen=True, slots=True)
class User:
    """Describes a user, who takes `new_name` `renamed_days_ago` days before the history ends."""

    user_id: str
    name: str
    new_name: str | None = None
    renamed_days_ago: int = 0


@dataclass(frozen=True, slots=True)
class Project:
    """Describes a project: its share of all jobs, and its users, the busiest first."""

    project_id: str
    name: str
    weight: float
    users: tuple[User, ...]


JOB_TYPES = (
    JobType("DNA_GERMLINE", 34, 95, 42.0, 0.05),
    JobType("DNA_SOMATIC", 18, 160, 88.0, 0.08),
    JobType("RNA_DIFF_EXPR", 16, 55, 18.0, 0.06),
    JobType("CNVKIT", 10, 25, 12.0, 0.04),
    JobType("SELECT_VARIANTS", 14, 4, 0.9, 0.02),
    JobType("JOINT_GENOTYPING", 5, 240, 130.0, 0.11),
    JobType("QUALITY_CONTROL", 3, 9, 6.0, 0.01),
)

RENAMES = {"li.na": ("li.na-wang", 40), "p.novak": ("p.novakova", 12), "a.silva": ("a.silva.costa", 75)}


def stable_id(name: str) -> str:
    """Returns a hex UUID for a name, the same in every run."""
    return uuid.uuid5(uuid.NAMESPACE_OID, name).hex


def _project(name: str, weight: float, users: str) -> Project:
    people = []
    for user in users.split():
        new_name, days_ago = RENAMES.get(user, (None, 0))
        people.append(User(stable_id(f"{name}/{user}"), user, new_name, days_ago))
    return Project(stable_id(name), name, weight, tuple(people))


PROJECTS = (
    _project(
        "newborn-screening",
        40,
        "chen.wei li.na m.garcia s.okafor t.yamada j.smith e.rossi k.singh h.mueller f.dubois y.zhang r.rao",
    ),
    _project("tumour-board", 25, "a.kovacs zhao.lei b.jones n.haddad o.lindqvist p.novak d.mbeki i.petrov"),
    _project("rare-diseases", 15, "wang.fang c.moreau g.papadopoulos l.jensen u.tanaka v.ionescu"),
    _project("crop-genomics", 11, "x.liu a.silva q.nguyen w.kowalski z.ahmed"),
    _project("pharmacogenomics", 6, "m.cohen s.bergman t.adeyemi j.kim"),
    _project("teaching", 3, "e.clark r.dasilva h.sato"),
)
