"""The names of HL7 v2 fields as the standard gives them, for pages and error texts; position in the text is the number.

Base is v2.5.1; fields that later versions added follow from v2.6 to v2.8.2. Names of fields that were withdrawn since
stay, because old senders still fill them (FT1-8). PRT, ITM, IVT, VND and PKG came with later versions.
"""

FIELDS: dict[str, str] = {
    "MSH": (
        "Field Separator|Encoding Characters|Sending Application|Sending Facility|Receiving Application|"
        "Receiving Facility|Date/Time of Message|Security|Message Type|Message Control ID|Processing ID|Version ID|"
        "Sequence Number|Continuation Pointer|Accept Acknowledgment Type|Application Acknowledgment Type|"
        "Country Code|Character Set|Principal Language of Message|Alternate Character Set Handling Scheme|"
        "Message Profile Identifier|Sending Responsible Organization|Receiving Responsible Organization|"
        "Sending Network Address|Receiving Network Address"
    ),
    "EVN": (
        "Event Type Code|Recorded Date/Time|Date/Time Planned Event|Event Reason Code|Operator ID|Event Occurred|"
        "Event Facility"
    ),
    "PID": (
        "Set ID - PID|Patient ID|Patient Identifier List|Alternate Patient ID - PID|Patient Name|"
        "Mother's Maiden Name|Date/Time of Birth|Administrative Sex|Patient Alias|Race|Patient Address|County Code|"
        "Phone Number - Home|Phone Number - Business|Primary Language|Marital Status|Religion|Patient Account Number|"
        "SSN Number - Patient|Driver's License Number - Patient|Mother's Identifier|Ethnic Group|Birth Place|"
        "Multiple Birth Indicator|Birth Order|Citizenship|Veterans Military Status|Nationality|"
        "Patient Death Date and Time|Patient Death Indicator|Identity Unknown Indicator|Identity Reliability Code|"
        "Last Update Date/Time|Last Update Facility|Species Code|Breed Code|Strain|Production Class Code|"
        "Tribal Citizenship|Patient Telecommunication Information"
    ),
    "PD1": (
        "Living Dependency|Living Arrangement|Patient Primary Facility|Patient Primary Care Provider Name & ID No.|"
        "Student Indicator|Handicap|Living Will Code|Organ Donor Code|Separate Bill|Duplicate Patient|Publicity Code|"
        "Protection Indicator|Protection Indicator Effective Date|Place of Worship|Advance Directive Code|"
        "Immunization Registry Status|Immunization Registry Status Effective Date|Publicity Code Effective Date|"
        "Military Branch|Military Rank/Grade|Military Status|Advance Directive Last Verified Date"
    ),
    "PV1": (
        "Set ID - PV1|Patient Class|Assigned Patient Location|Admission Type|Preadmit Number|Prior Patient Location|"
        "Attending Doctor|Referring Doctor|Consulting Doctor|Hospital Service|Temporary Location|"
        "Preadmit Test Indicator|Re-admission Indicator|Admit Source|Ambulatory Status|VIP Indicator|"
        "Admitting Doctor|Patient Type|Visit Number|Financial Class|Charge Price Indicator|Courtesy Code|"
        "Credit Rating|Contract Code|Contract Effective Date|Contract Amount|Contract Period|Interest Code|"
        "Transfer to Bad Debt Code|Transfer to Bad Debt Date|Bad Debt Agency Code|Bad Debt Transfer Amount|"
        "Bad Debt Recovery Amount|Delete Account Indicator|Delete Account Date|Discharge Disposition|"
        "Discharged to Location|Diet Type|Servicing Facility|Bed Status|Account Status|Pending Location|"
        "Prior Temporary Location|Admit Date/Time|Discharge Date/Time|Current Patient Balance|Total Charges|"
        "Total Adjustments|Total Payments|Alternate Visit ID|Visit Indicator|Other Healthcare Provider|"
        "Service Episode Description|Service Episode Identifier"
    ),
    "PV2": (
        "Prior Pending Location|Accommodation Code|Admit Reason|Transfer Reason|Patient Valuables|"
        "Patient Valuables Location|Visit User Code|Expected Admit Date/Time|Expected Discharge Date/Time|"
        "Estimated Length of Inpatient Stay|Actual Length of Inpatient Stay|Visit Description|Referral Source Code|"
        "Previous Service Date|Employment Illness Related Indicator|Purge Status Code|Purge Status Date|"
        "Special Program Code|Retention Indicator|Expected Number of Insurance Plans|Visit Publicity Code|"
        "Visit Protection Indicator|Clinic Organization Name|Patient Status Code|Visit Priority Code|"
        "Previous Treatment Date|Expected Discharge Disposition|Signature on File Date|First Similar Illness Date|"
        "Patient Charge Adjustment Code|Recurring Service Code|Billing Media Code|Expected Surgery Date and Time|"
        "Military Partnership Code|Military Non-Availability Code|Newborn Baby Indicator|Baby Detained Indicator|"
        "Mode of Arrival Code|Recreational Drug Use Code|Admission Level of Care Code|Precaution Code|"
        "Patient Condition Code|Living Will Code|Organ Donor Code|Advance Directive Code|"
        "Patient Status Effective Date|Expected LOA Return Date/Time|Expected Pre-admission Testing Date/Time|"
        "Notify Clergy Code|Advance Directive Last Verified Date"
    ),
    "FT1": (
        "Set ID - FT1|Transaction ID|Transaction Batch ID|Transaction Date|Transaction Posting Date|Transaction Type|"
        "Transaction Code|Transaction Description|Transaction Description - Alt|Transaction Quantity|"
        "Transaction Amount - Extended|Transaction Amount - Unit|Department Code|Insurance Plan ID|Insurance Amount|"
        "Assigned Patient Location|Fee Schedule|Patient Type|Diagnosis Code - FT1|Performed By Code|Ordered By Code|"
        "Unit Cost|Filler Order Number|Entered By Code|Procedure Code|Procedure Code Modifier|"
        "Advanced Beneficiary Notice Code|Medically Necessary Duplicate Procedure Reason|NDC Code|"
        "Payment Reference ID|Transaction Reference Key|Performing Facility|Ordering Facility|Item Number|"
        "Model Number|Special Processing Code|Clinic Code|Referral Number|Authorization Number|"
        "Service Provider Taxonomy Code|Revenue Code|Prescription Number|NDC Qty and UOM"
    ),
    "PR1": (
        "Set ID - PR1|Procedure Coding Method|Procedure Code|Procedure Description|Procedure Date/Time|"
        "Procedure Functional Type|Procedure Minutes|Anesthesiologist|Anesthesia Code|Anesthesia Minutes|Surgeon|"
        "Procedure Practitioner|Consent Code|Procedure Priority|Associated Diagnosis Code|Procedure Code Modifier|"
        "Procedure DRG Type|Tissue Type Code|Procedure Identifier|Procedure Action Code|"
        "DRG Procedure Determination Status|DRG Procedure Relevance|Treating Organizational Unit|"
        "Respiratory Within Surgery|Parent Procedure ID"
    ),
    "DG1": (
        "Set ID - DG1|Diagnosis Coding Method|Diagnosis Code - DG1|Diagnosis Description|Diagnosis Date/Time|"
        "Diagnosis Type|Major Diagnostic Category|Diagnostic Related Group|DRG Approval Indicator|"
        "DRG Grouper Review Code|Outlier Type|Outlier Days|Outlier Cost|Grouper Version and Type|Diagnosis Priority|"
        "Diagnosing Clinician|Diagnosis Classification|Confidential Indicator|Attestation Date/Time|"
        "Diagnosis Identifier|Diagnosis Action Code|Parent Diagnosis|DRG CCL Value Code|DRG Grouping Usage|"
        "DRG Diagnosis Determination Status|Present on Admission (POA) Indicator"
    ),
    "GT1": (
        "Set ID - GT1|Guarantor Number|Guarantor Name|Guarantor Spouse Name|Guarantor Address|"
        "Guarantor Phone Number - Home|Guarantor Phone Number - Business|Guarantor Date/Time of Birth|"
        "Guarantor Administrative Sex|Guarantor Type|Guarantor Relationship|Guarantor SSN|Guarantor Date - Begin|"
        "Guarantor Date - End|Guarantor Priority|Guarantor Employer Name|Guarantor Employer Address|"
        "Guarantor Employer Phone Number|Guarantor Employee ID Number|Guarantor Employment Status|"
        "Guarantor Organization Name|Guarantor Billing Hold Flag|Guarantor Credit Rating Code|"
        "Guarantor Death Date and Time|Guarantor Death Flag|Guarantor Charge Adjustment Code|"
        "Guarantor Household Annual Income|Guarantor Household Size|Guarantor Employer ID Number|"
        "Guarantor Marital Status Code|Guarantor Hire Effective Date|Employment Stop Date|Living Dependency|"
        "Ambulatory Status|Citizenship|Primary Language|Living Arrangement|Publicity Code|Protection Indicator|"
        "Student Indicator|Religion|Mother's Maiden Name|Nationality|Ethnic Group|Contact Person's Name|"
        "Contact Person's Telephone Number|Contact Reason|Contact Relationship|Job Title|Job Code/Class|"
        "Guarantor Employer's Organization Name|Handicap|Job Status|Guarantor Financial Class|Guarantor Race|"
        "Guarantor Birth Place|VIP Indicator"
    ),
    "IN1": (
        "Set ID - IN1|Insurance Plan ID|Insurance Company ID|Insurance Company Name|Insurance Company Address|"
        "Insurance Co Contact Person|Insurance Co Phone Number|Group Number|Group Name|Insured's Group Emp ID|"
        "Insured's Group Emp Name|Plan Effective Date|Plan Expiration Date|Authorization Information|Plan Type|"
        "Name of Insured|Insured's Relationship to Patient|Insured's Date of Birth|Insured's Address|"
        "Assignment of Benefits|Coordination of Benefits|Coord of Ben. Priority|Notice of Admission Flag|"
        "Notice of Admission Date|Report of Eligibility Flag|Report of Eligibility Date|Release Information Code|"
        "Pre-Admit Cert (PAC)|Verification Date/Time|Verification By|Type of Agreement Code|Billing Status|"
        "Lifetime Reserve Days|Delay Before L.R. Day|Company Plan Code|Policy Number|Policy Deductible|"
        "Policy Limit Amount|Policy Limit Days|Room Rate - Semi-Private|Room Rate - Private|"
        "Insured's Employment Status|Insured's Administrative Sex|Insured's Employer's Address|Verification Status|"
        "Prior Insurance Plan ID|Coverage Type|Handicap|Insured's ID Number|Signature Code|Signature Code Date|"
        "Insured's Birth Place|VIP Indicator|External Health Plan Identifiers|Insurance Action Code"
    ),
    "IN2": (
        "Insured's Employee ID|Insured's Social Security Number|Insured's Employer's Name and ID|"
        "Employer Information Data|Mail Claim Party|Medicare Health Ins Card Number|Medicaid Case Name|"
        "Medicaid Case Number|Military Sponsor Name|Military ID Number|Dependent of Military Recipient|"
        "Military Organization|Military Station|Military Service|Military Rank/Grade|Military Status|"
        "Military Retire Date|Military Non-Avail Cert on File|Baby Coverage|Combine Baby Bill|Blood Deductible|"
        "Special Coverage Approval Name|Special Coverage Approval Title|Non-Covered Insurance Code|Payor ID|"
        "Payor Subscriber ID|Eligibility Source|Room Coverage Type/Amount|Policy Type/Amount|Daily Deductible|"
        "Living Dependency|Ambulatory Status|Citizenship|Primary Language|Living Arrangement|Publicity Code|"
        "Protection Indicator|Student Indicator|Religion|Mother's Maiden Name|Nationality|Ethnic Group|"
        "Marital Status|Insured's Employment Start Date|Employment Stop Date|Job Title|Job Code/Class|Job Status|"
        "Employer Contact Person Name|Employer Contact Person Phone Number|Employer Contact Reason|"
        "Insured's Contact Person's Name|Insured's Contact Person Phone Number|Insured's Contact Person Reason|"
        "Relationship to the Patient Start Date|Relationship to the Patient Stop Date|Insurance Co Contact Reason|"
        "Insurance Co Contact Phone Number|Policy Scope|Policy Source|Patient Member Number|"
        "Guarantor's Relationship to Insured|Insured's Phone Number - Home|Insured's Employer Phone Number|"
        "Military Handicapped Program|Suspend Flag|Copay Limit Flag|Stoploss Limit Flag|"
        "Insured Organization Name and ID|Insured Employer Organization Name and ID|Race|"
        "CMS Patient's Relationship to Insured"
    ),
    "ACC": (
        "Accident Date/Time|Accident Code|Accident Location|Auto Accident State|Accident Job Related Indicator|"
        "Accident Death Indicator|Entered By|Accident Description|Brought In By|Police Notified Indicator|"
        "Accident Address|Degree of Patient Liability|Accident Identifier"
    ),
    "NK1": (
        "Set ID - NK1|Name|Relationship|Address|Phone Number|Business Phone Number|Contact Role|Start Date|End Date|"
        "Next of Kin/Associated Parties Job Title|Next of Kin/Associated Parties Job Code/Class|"
        "Next of Kin/Associated Parties Employee Number|Organization Name - NK1|Marital Status|Administrative Sex|"
        "Date/Time of Birth|Living Dependency|Ambulatory Status|Citizenship|Primary Language|Living Arrangement|"
        "Publicity Code|Protection Indicator|Student Indicator|Religion|Mother's Maiden Name|Nationality|"
        "Ethnic Group|Contact Reason|Contact Person's Name|Contact Person's Telephone Number|"
        "Contact Person's Address|Next of Kin/Associated Party's Identifiers|Job Status|Race|Handicap|"
        "Contact Person Social Security Number|Next of Kin Birth Place|VIP Indicator|"
        "Next of Kin Telecommunication Information|Contact Person's Telecommunication Information"
    ),
    "OBX": (
        "Set ID - OBX|Value Type|Observation Identifier|Observation Sub-ID|Observation Value|Units|References Range|"
        "Abnormal Flags|Probability|Nature of Abnormal Test|Observation Result Status|"
        "Effective Date of Reference Range Values|User Defined Access Checks|Date/Time of the Observation|"
        "Producer's Reference|Responsible Observer|Observation Method|Equipment Instance Identifier|"
        "Date/Time of the Analysis|Observation Site|Observation Instance Identifier|Mood Code|"
        "Performing Organization Name|Performing Organization Address|Performing Organization Medical Director|"
        "Patient Results Release Category|Root Cause|Local Process Control|Observation Type|Observation Sub-Type"
    ),
    "OBR": (
        "Set ID - OBR|Placer Order Number|Filler Order Number|Universal Service Identifier|Priority - OBR|"
        "Requested Date/Time|Observation Date/Time|Observation End Date/Time|Collection Volume|Collector Identifier|"
        "Specimen Action Code|Danger Code|Relevant Clinical Information|Specimen Received Date/Time|Specimen Source|"
        "Ordering Provider|Order Callback Phone Number|Placer Field 1|Placer Field 2|Filler Field 1|Filler Field 2|"
        "Results Rpt/Status Chng - Date/Time|Charge to Practice|Diagnostic Service Section ID|Result Status|"
        "Parent Result|Quantity/Timing|Result Copies To|Parent|Transportation Mode|Reason for Study|"
        "Principal Result Interpreter|Assistant Result Interpreter|Technician|Transcriptionist|Scheduled Date/Time|"
        "Number of Sample Containers|Transport Logistics of Collected Sample|Collector's Comment|"
        "Transport Arrangement Responsibility|Transport Arranged|Escort Required|Planned Patient Transport Comment|"
        "Procedure Code|Procedure Code Modifier|Placer Supplemental Service Information|"
        "Filler Supplemental Service Information|Medically Necessary Duplicate Procedure Reason|Result Handling|"
        "Parent Universal Service Identifier|Observation Group ID|Parent Observation Group ID|"
        "Alternate Placer Order Number|Parent Order"
    ),
    "ORC": (
        "Order Control|Placer Order Number|Filler Order Number|Placer Group Number|Order Status|Response Flag|"
        "Quantity/Timing|Parent|Date/Time of Transaction|Entered By|Verified By|Ordering Provider|Enterer's Location|"
        "Call Back Phone Number|Order Effective Date/Time|Order Control Code Reason|Entering Organization|"
        "Entering Device|Action By|Advanced Beneficiary Notice Code|Ordering Facility Name|Ordering Facility Address|"
        "Ordering Facility Phone Number|Ordering Provider Address|Order Status Modifier|"
        "Advanced Beneficiary Notice Override Reason|Filler's Expected Availability Date/Time|Confidentiality Code|"
        "Order Type|Enterer Authorization Mode|Parent Universal Service Identifier|Advanced Beneficiary Notice Date|"
        "Alternate Placer Order Number|Order Workflow Profile"
    ),
    "NTE": (
        "Set ID - NTE|Source of Comment|Comment|Comment Type|Entered By|Entered Date/Time|Effective Start Date|"
        "Expiration Date"
    ),
    "MSA": (
        "Acknowledgment Code|Message Control ID|Text Message|Expected Sequence Number|Delayed Acknowledgment Type|"
        "Error Condition|Message Waiting Number|Message Waiting Priority"
    ),
    "ERR": (
        "Error Code and Location|Error Location|HL7 Error Code|Severity|Application Error Code|"
        "Application Error Parameter|Diagnostic Information|User Message|Inform Person Indicator|Override Type|"
        "Override Reason Code|Help Desk Contact Point"
    ),
    "MFI": (
        "Master File Identifier|Master File Application Identifier|File-Level Event Code|Entered Date/Time|"
        "Effective Date/Time|Response Level Code"
    ),
    "MFE": (
        "Record-Level Event Code|MFN Control ID|Effective Date/Time|Primary Key Value - MFE|Primary Key Value Type|"
        "Entered Date/Time|Entered By"
    ),
    "CDM": (
        "Primary Key Value - CDM|Charge Code Alias|Charge Description Short|Charge Description Long|"
        "Description Override Indicator|Exploding Charges|Procedure Code|Active/Inactive Flag|Inventory Number|"
        "Resource Load|Contract Number|Contract Organization|Room Fee Indicator"
    ),
    "PRC": (
        "Primary Key Value - PRC|Facility ID - PRC|Department|Valid Patient Classes|Price|Formula|Minimum Quantity|"
        "Maximum Quantity|Minimum Price|Maximum Price|Effective Start Date|Effective End Date|Price Override Flag|"
        "Billing Category|Chargeable Flag|Active/Inactive Flag|Cost|Charge On Indicator"
    ),
    "STF": (
        "Primary Key Value - STF|Staff Identifier List|Staff Name|Staff Type|Administrative Sex|Date/Time of Birth|"
        "Active/Inactive Flag|Department|Hospital Service - STF|Phone|Office/Home Address/Birthplace|"
        "Institution Activation Date|Institution Inactivation Date|Backup Person ID|E-mail Address|"
        "Preferred Method of Contact|Marital Status|Job Title|Job Code/Class|Employment Status Code|"
        "Additional Insured on Auto|Driver's License Number - Staff|Copy Auto Ins.|Auto Ins. Expires|"
        "Date Last DMV Review|Date Next DMV Review|Race|Ethnic Group|Re-activation Approval Indicator|Citizenship|"
        "Death Date and Time|Death Indicator|Institution Relationship Type Code|Institution Relationship Period|"
        "Expected Return Date|Cost Center Code|Generic Classification Indicator|Inactive Reason Code|"
        "Generic Resource Type or Category|Religion|Signature"
    ),
    "ITM": (
        "Item Identifier|Item Description|Item Status|Item Type|Item Category|Subject to Expiration Indicator|"
        "Manufacturer Identifier|Manufacturer Name|Manufacturer Catalog Number|"
        "Manufacturer Labeler Identification Code|Patient Chargeable Indicator|Transaction Code|"
        "Transaction Amount - Unit|Stocked Item Indicator|Supply Risk Codes|Approving Regulatory Agency|"
        "Latex Indicator|Ruling Act|Item Natural Account Code|Approved to Buy Quantity|Approved to Buy Price|"
        "Taxable Item Indicator|Freight Charge Indicator|Item Set Indicator|Item Set Identifier|"
        "Track Department Usage Indicator|Procedure Code|Procedure Code Modifier|Special Handling Code|"
        "Hazardous Indicator|Sterile Indicator|Material Data Safety Sheet Number|"
        "United Nations Standard Products and Services Code (UNSPSC)"
    ),
    "IVT": (
        "Set ID - IVT|Inventory Location Identifier|Inventory Location Name|Source Location Identifier|"
        "Source Location Name|Item Status|Bin Location Identifier|Order Packaging|Issue Packaging|"
        "Default Inventory Asset Account|Patient Chargeable Indicator|Transaction Code|Transaction Amount - Unit|"
        "Item Importance Code|Stocked Item Indicator|Consignment Item Indicator|Reusable Item Indicator|"
        "Reusable Cost|Substitute Item Identifier|Latex-Free Substitute Item Identifier|Recommended Reorder Theory|"
        "Recommended Safety Stock Days|Recommended Maximum Days Inventory|Recommended Order Point|"
        "Recommended Order Amount|Operating Room Par Level Indicator"
    ),
    "VND": "Set ID - VND|Vendor Identifier|Vendor Name|Vendor Catalog Number|Primary Vendor Indicator",
    "PKG": (
        "Set ID - PKG|Packaging Units|Default Order Unit of Measure Indicator|Package Quantity|Price|"
        "Future Item Price|Future Item Price Effective Date|Global Trade Item Number"
    ),
    "RQD": (
        "Requisition Line Number|Item Code - Internal|Item Code - External|Hospital Item Code|Requisition Quantity|"
        "Requisition Unit of Measure|Dept. Cost Center|Item Natural Account Code|Deliver-to ID|Date Needed"
    ),
    "RQ1": (
        "Anticipated Price|Manufacturer Identifier|Manufacturer's Catalog|Vendor ID|Vendor Catalog|Taxable|"
        "Substitute Allowed"
    ),
    "RXE": (
        "Quantity/Timing|Give Code|Give Amount - Minimum|Give Amount - Maximum|Give Units|Give Dosage Form|"
        "Provider's Administration Instructions|Deliver-to Location|Substitution Status|Dispense Amount|"
        "Dispense Units|Number of Refills|Ordering Provider's DEA Number|Pharmacist/Treatment Supplier's Verifier ID|"
        "Prescription Number|Number of Refills Remaining|Number of Refills/Doses Dispensed|"
        "D/T of Most Recent Refill or Dose Dispensed|Total Daily Dose|Needs Human Review|"
        "Pharmacy/Treatment Supplier's Special Dispensing Instructions|Give Per (Time Unit)|Give Rate Amount|"
        "Give Rate Units|Give Strength|Give Strength Units|Give Indication|Dispense Package Size|"
        "Dispense Package Size Unit|Dispense Package Method|Supplementary Code|Original Order Date/Time|"
        "Give Drug Strength Volume|Give Drug Strength Volume Units|Controlled Substance Schedule|Formulary Status|"
        "Pharmaceutical Substance Alternative|Pharmacy of Most Recent Fill|Initial Dispense Amount|"
        "Dispensing Pharmacy|Dispensing Pharmacy Address|Deliver-to Patient Location|Deliver-to Address|"
        "Pharmacy Order Type|Pharmacy Phone Number"
    ),
    "RXD": (
        "Dispense Sub-ID Counter|Dispense/Give Code|Date/Time Dispensed|Actual Dispense Amount|Actual Dispense Units|"
        "Actual Dosage Form|Prescription Number|Number of Refills Remaining|Dispense Notes|Dispensing Provider|"
        "Substitution Status|Total Daily Dose|Dispense-to Location|Needs Human Review|"
        "Pharmacy/Treatment Supplier's Special Dispensing Instructions|Actual Strength|Actual Strength Unit|"
        "Substance Lot Number|Substance Expiration Date|Substance Manufacturer Name|Indication|Dispense Package Size|"
        "Dispense Package Size Unit|Dispense Package Method|Supplementary Code|Initiating Location|"
        "Packaging/Assembly Location|Actual Drug Strength Volume|Actual Drug Strength Volume Units|"
        "Dispense to Pharmacy|Dispense to Pharmacy Address|Pharmacy Order Type|Dispense Type|Pharmacy Phone Number|"
        "Dispense Tag Identifier"
    ),
    "RXA": (
        "Give Sub-ID Counter|Administration Sub-ID Counter|Date/Time Start of Administration|"
        "Date/Time End of Administration|Administered Code|Administered Amount|Administered Units|"
        "Administered Dosage Form|Administration Notes|Administering Provider|Administered-at Location|"
        "Administered Per (Time Unit)|Administered Strength|Administered Strength Units|Substance Lot Number|"
        "Substance Expiration Date|Substance Manufacturer Name|Substance/Treatment Refusal Reason|Indication|"
        "Completion Status|Action Code - RXA|System Entry Date/Time|Administered Drug Strength Volume|"
        "Administered Drug Strength Volume Units|Administered Barcode Identifier|Pharmacy Order Type|Administer-at|"
        "Administered-at Address|Administered Tag Identifier"
    ),
    "AIS": (
        "Set ID - AIS|Segment Action Code|Universal Service Identifier|Start Date/Time|Start Date/Time Offset|"
        "Start Date/Time Offset Units|Duration|Duration Units|Allow Substitution Code|Filler Status Code|"
        "Placer Supplemental Service Information|Filler Supplemental Service Information"
    ),
    "SCH": (
        "Placer Appointment ID|Filler Appointment ID|Occurrence Number|Placer Group Number|Schedule ID|Event Reason|"
        "Appointment Reason|Appointment Type|Appointment Duration|Appointment Duration Units|"
        "Appointment Timing Quantity|Placer Contact Person|Placer Contact Phone Number|Placer Contact Address|"
        "Placer Contact Location|Filler Contact Person|Filler Contact Phone Number|Filler Contact Address|"
        "Filler Contact Location|Entered By Person|Entered By Phone Number|Entered By Location|"
        "Parent Placer Appointment ID|Parent Filler Appointment ID|Filler Status Code|Placer Order Number|"
        "Filler Order Number"
    ),
    "MRG": (
        "Prior Patient Identifier List|Prior Alternate Patient ID|Prior Patient Account Number|Prior Patient ID|"
        "Prior Visit Number|Prior Alternate Visit ID|Prior Patient Name"
    ),
    "FHS": (
        "File Field Separator|File Encoding Characters|File Sending Application|File Sending Facility|"
        "File Receiving Application|File Receiving Facility|File Creation Date/Time|File Security|File Name/ID|"
        "File Header Comment|File Control ID|Reference File Control ID|File Sending Network Address|"
        "File Receiving Network Address"
    ),
    "BHS": (
        "Batch Field Separator|Batch Encoding Characters|Batch Sending Application|Batch Sending Facility|"
        "Batch Receiving Application|Batch Receiving Facility|Batch Creation Date/Time|Batch Security|"
        "Batch Name/ID/Type|Batch Comment|Batch Control ID|Reference Batch Control ID|Batch Sending Network Address|"
        "Batch Receiving Network Address"
    ),
    "BTS": "Batch Message Count|Batch Comment|Batch Totals",
    "FTS": "File Batch Count|File Trailer Comment",
    "PRT": (
        "Participation Instance ID|Action Code|Action Reason|Participation|Participation Person|"
        "Participation Person Provider Type|Participant Organization Unit Type|Participation Organization|"
        "Participant Location|Participation Device|Participation Begin Date/Time (arrival time)|"
        "Participation End Date/Time (departure time)|Participation Qualitative Duration|Participation Address|"
        "Participant Telecommunication Address|Participant Device Identifier|Participant Device Manufacture Date|"
        "Participant Device Expiry Date|Participant Device Lot Number|Participant Device Serial Number|"
        "Participant Device Donation Identification|Participation Device Type"
    ),
    "BLG": "When to Charge|Charge Type|Account ID|Charge Type Reason",
    "AL1": (
        "Set ID - AL1|Allergen Type Code|Allergen Code/Mnemonic/Description|Allergy Severity Code|"
        "Allergy Reaction Code|Identification Date"
    ),
    "ROL": (
        "Role Instance ID|Action Code|Role - ROL|Role Person|Role Begin Date/Time|Role End Date/Time|Role Duration|"
        "Role Action Reason|Provider Type|Organization Unit Type|Office/Home Address/Birthplace|Phone|"
        "Person's Location|Organization"
    ),
    "TQ1": (
        "Set ID - TQ1|Quantity|Repeat Pattern|Explicit Time|Relative Time and Units|Service Duration|Start Date/Time|"
        "End Date/Time|Priority|Condition Text|Text Instruction|Conjunction|Occurrence Duration|Total Occurrences"
    ),
}
