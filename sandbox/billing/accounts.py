"""Patients, who are synthetic and say so, and their accounts, which live for a few messages."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sandbox.billing.lines import Line
from sandbox.billing.writing import escape, segment

FAMILY_NAMES = (
    "SYNTHADAMS",
    "SYNTHBAKER",
    "SYNTHCLARK",
    "SYNTHDAVIS",
    "SYNTHEVANS",
    "SYNTHFOX",
    "SYNTHGRAY",
    "SYNTHO'NEIL",
)
GIVEN_NAMES = ("ALEX", "BLAKE", "CASEY", "DREW", "ELLIS", "FINLEY", "GRAY", "HARPER")
DOCTORS = tuple((f"90{number:02d}", f"SYNTHDOC{letter}") for number, letter in enumerate("ABCDEFGH", 1))
DIAGNOSES = (
    ("R07.9", "Chest pain, unspecified"),
    ("I25.10", "Heart disease of native coronary artery"),
    ("M17.11", "Osteoarthritis, right knee"),
    ("J18.9", "Pneumonia, unspecified organism"),
    ("N18.6", "End stage renal disease"),
    ("I48.91", "Atrial fibrillation, unspecified"),
)
# Where a visit begins decides what kind it is: I inpatient, O outpatient, E emergency.
CLASSES = {"ED": "E", "ICU": "I", "MEDSURG": "I", "TELE": "I", "BIRTH": "I", "ORTHO": "I", "CVOR": "I", "VASC": "I"}


@dataclass(slots=True)
class Account:
    """One visit of one patient."""

    number: str
    facility: dict[str, Any]
    department: dict[str, Any]
    patient_class: str
    payer: dict[str, Any]
    family: str
    given: str
    born: date
    sex: str
    doctor: tuple[str, str]
    diagnosis: tuple[str, str]
    admitted: datetime
    messages_left: int
    charged: list[Line] = field(default_factory=list)

    @property
    def location(self) -> str:
        """Return where the patient lies, as HL7 PL."""
        room = int(self.number[-2:], 36) % 40 + 1
        return f"{self.department['wire_code']}^{room:02d}^A^{self.facility['code']}"

    def pid(self) -> str:
        """Write PID: medical record number in PID-3, account in PID-18."""
        code = self.facility["code"]
        return segment(
            "PID",
            {
                1: "1",
                3: f"M{self.number}^^^{code}^MR",
                5: f"{escape(self.family)}^{self.given}^Q",
                7: self.born.strftime("%Y%m%d"),
                8: self.sex,
                11: "1 SYNTHETIC WAY^^NOWHERE^IA^00000^USA",
                18: f"{self.number}^^^{code}^AN",
            },
        )

    def pv1(self, admitted: str, discharged: str) -> str:
        """Write PV1 with the given time-stamps; the last message of an account carries the discharge."""
        return segment(
            "PV1",
            {
                1: "1",
                2: self.patient_class,
                3: self.location,
                7: f"{self.doctor[0]}^{self.doctor[1]}^ADA",
                10: self.department["hospital_service"],
                17: f"{self.doctor[0]}^{self.doctor[1]}^ADA",
                18: self.patient_class,
                19: f"V{self.number}^^^{self.facility['code']}^VN",
                44: admitted,
                45: discharged,
            },
        )

    def context(self) -> list[str]:
        """Write DG1 and IN1."""
        code, text = self.diagnosis
        payer = self.payer
        return [
            segment("DG1", {1: "1", 3: f"{code}^{escape(text)}^I10", 6: "A"}),
            segment("IN1", {1: "1", 2: f"{payer['code']}^{escape(payer['name'])}", 3: payer["code"]}),
        ]


def open_account(
    chance: random.Random,
    number: str,
    facility: dict[str, Any],
    department: dict[str, Any],
    payers: list[dict[str, Any]],
    now: datetime,
) -> Account:
    """Admit a synthetic patient to a department."""
    patient_class = CLASSES.get(department["kind"], "O")
    stay = timedelta(hours=chance.uniform(0.5, 72 if patient_class == "I" else 4))
    return Account(
        number=number,
        facility=facility,
        department=department,
        patient_class=patient_class,
        payer=chance.choice(payers),
        family=chance.choice(FAMILY_NAMES),
        given=chance.choice(GIVEN_NAMES),
        born=now.date() - timedelta(days=chance.randint(7000, 33000)),
        sex=chance.choice("FM"),
        doctor=chance.choice(DOCTORS),
        diagnosis=chance.choice(DIAGNOSES),
        admitted=now - stay,
        messages_left=chance.randint(3, 12),
    )
