"""Alerts: conditions are looked at twice a minute; each begins once, is told once, ends once, and that is told too."""
