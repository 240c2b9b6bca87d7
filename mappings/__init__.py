"""The shared language: canonical documents, master data and the crosswalk between partners' codes and ours."""
