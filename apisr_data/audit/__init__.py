"""What a video is, how it was coded, and what `extract` would do with it; optionally proved against a full decode."""

from apisr_data.audit.facts import Audit
from apisr_data.audit.measure import AuditJob, audit, audit_job
from apisr_data.audit.text import render

__all__ = ["Audit", "AuditJob", "audit", "audit_job", "render"]
