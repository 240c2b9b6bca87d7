"""What the standard calls a segment or a field, for the message page and for errors that a person reads."""

from hub.formats.hl7_fields import FIELDS

NAMES: dict[str, tuple[str, ...]] = {segment: tuple(names.split("|")) for segment, names in FIELDS.items()}

SEGMENTS: dict[str, str] = {
    "MSH": "Message Header",
    "EVN": "Event Type",
    "PID": "Patient Identification",
    "PD1": "Patient Additional Demographic",
    "PV1": "Patient Visit",
    "PV2": "Patient Visit - Additional Information",
    "FT1": "Financial Transaction",
    "PR1": "Procedures",
    "DG1": "Diagnosis",
    "GT1": "Guarantor",
    "IN1": "Insurance",
    "IN2": "Insurance Additional Information",
    "ACC": "Accident",
    "NK1": "Next of Kin / Associated Parties",
    "OBX": "Observation/Result",
    "OBR": "Observation Request",
    "ORC": "Common Order",
    "NTE": "Notes and Comments",
    "MSA": "Message Acknowledgment",
    "ERR": "Error",
    "MFI": "Master File Identification",
    "MFE": "Master File Entry",
    "CDM": "Charge Description Master",
    "PRC": "Pricing",
    "STF": "Staff Identification",
    "ITM": "Material Item",
    "IVT": "Material Location",
    "VND": "Purchasing Vendor",
    "PKG": "Item Packaging",
    "RQD": "Requisition Detail",
    "RQ1": "Requisition Detail-1",
    "RXE": "Pharmacy/Treatment Encoded Order",
    "RXD": "Pharmacy/Treatment Dispense",
    "RXA": "Pharmacy/Treatment Administration",
    "AIS": "Appointment Information - Service",
    "SCH": "Scheduling Activity Information",
    "MRG": "Merge Patient Information",
    "FHS": "File Header",
    "BHS": "Batch Header",
    "BTS": "Batch Trailer",
    "FTS": "File Trailer",
    "PRT": "Participation Information",
    "BLG": "Billing",
    "AL1": "Patient Allergy Information",
    "ROL": "Role",
    "TQ1": "Timing/Quantity",
}


def segment_name(segment: str) -> str:
    """The standard's name of a segment; a Z-segment is called what it is, one we do not list gets an empty name."""
    return SEGMENTS.get(segment) or ("Site-Defined Segment" if segment.startswith("Z") else "")


def field_name(segment: str, number: int) -> str:
    """The standard's name of field `number` (from 1) of a segment, or "" when the standard or our list has none."""
    names = NAMES.get(segment, ())
    return names[number - 1] if 1 <= number <= len(names) else ""
