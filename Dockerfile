# The station: `patrol run` over the district that is mounted at /etc/patrol.
# Built by docker-compose.yml; by hand: docker build --tag zhixun:local .

# With its digest, if it is to be this very one: docs/operations.md, Upgrade.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# Where Python's packages come from; pip's own choice when it is not given.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/zhixun
# What is depended on first, in a layer of its own: it changes less often than the code. Wheels
# only, so that nothing is compiled and no build tools are needed.
COPY constraints.txt pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && /opt/zhixun/bin/pip install --only-binary :all: --constraint constraints.txt --requirement requirements.txt
COPY . .
RUN /opt/zhixun/bin/pip install --no-deps . \
    && /opt/zhixun/bin/pip uninstall --yes pip \
    && install -m 755 docker/patrol/ready.py /opt/zhixun/bin/patrol-ready

FROM ${PYTHON_IMAGE}
ENV PATH=/opt/zhixun/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
RUN groupadd --gid 10001 patrol \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin patrol \
    && install --directory --owner 10001 --group 10001 --mode 750 /var/lib/patrol
COPY --from=build /opt/zhixun /opt/zhixun
USER 10001:10001
WORKDIR /var/lib/patrol
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=10m CMD ["patrol-ready"]
ENTRYPOINT ["patrol"]
CMD ["run", "--config", "/etc/patrol/patrol.toml"]
