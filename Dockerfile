# The pipeline as an image: docs/deploy.md says how to build and run it.
FROM python:3.12-slim

# Its data folder is the only place that a run writes to.
RUN useradd --create-home --uid 1000 zoho && install --directory --owner=zoho /data
WORKDIR /opt/zoho-crm

# The locked dependencies first, so that a change of the code does not install them again.
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --requirement requirements.lock

COPY pyproject.toml LICENSE ./
COPY sources ./sources
COPY pipelines ./pipelines
COPY simulators ./simulators

ENV PYTHONPATH=/opt/zoho-crm \
    PYTHONUNBUFFERED=1 \
    SOURCES__ZOHO_CRM__PIPELINES_DIR=/data/pipelines \
    DESTINATION__DUCKDB__CREDENTIALS=/data/zoho.duckdb \
    XDG_CACHE_HOME=/data/cache \
    DLT_DATA_DIR=/data/dlt \
    RUNTIME__DLTHUB_TELEMETRY=false
USER zoho
WORKDIR /data
VOLUME /data
ENTRYPOINT ["python", "-m", "pipelines.zoho_crm"]
