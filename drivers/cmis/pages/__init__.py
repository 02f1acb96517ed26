"""The register tables, one module per page; each holds ``FIELDS``. Data only."""
