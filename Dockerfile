# brainseg without a checkout: docs/how-to/install.md
#
#   docker build --build-arg CPU_INDEX=ADDRESS -t brainseg . for processors
#   docker build --build-arg DEVICE=cuda -t brainseg:cuda . for NVIDIA GPUs
#
# Checkpoints in models/ go into the image, in /models. Nothing is fetched when it runs.
ARG BASE=python:3.12-slim-bookworm

# hadolint ignore=DL3006
FROM ${BASE} AS build
ARG DEVICE=cpu
# PyPI has torch for CUDA only, with 4 GB of NVIDIA's libraries. PyTorch has it for processors in an index of its
# own, whose address pytorch.org names under Get Started.
ARG CPU_INDEX
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/brainseg
WORKDIR /src
COPY constraints.txt ./
RUN if [ "${DEVICE}" = cpu ]; then \
      : "${CPU_INDEX:?give the index of torch for processors, see docs/how-to/install.md, or DEVICE=cuda}" && \
      /opt/brainseg/bin/pip install --no-deps -c constraints.txt --index-url "${CPU_INDEX}" torch torchvision; \
    else \
      /opt/brainseg/bin/pip install -c constraints.txt torch torchvision; \
    fi
# What brainseg needs comes before its code, so that a change of the code makes the last layers anew only.
COPY pyproject.toml ./
RUN python3 -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
      print(*p['dependencies'], *p['optional-dependencies']['viewer'], sep='\n')" > needs.txt && \
    /opt/brainseg/bin/pip install -c constraints.txt -r needs.txt
COPY . .
RUN /opt/brainseg/bin/pip install -c constraints.txt ".[viewer]"

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title=brainseg org.opencontainers.image.licenses=Apache-2.0
RUN useradd --create-home --uid 1000 brainseg && mkdir /models /data /out && chown brainseg /out
COPY --from=build /opt/brainseg /opt/brainseg
COPY LICENSE model[s] /models/
# No program in it asks a network for anything; what is written goes to /out and, for caches, to /tmp.
ENV PATH=/opt/brainseg/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 \
    USER=brainseg HF_HUB_OFFLINE=1 WANDB_MODE=offline MPLCONFIGDIR=/tmp/matplotlib \
    BRAINSEG_DATA=/data BRAINSEG_CACHE=/tmp/brainseg
USER 1000
WORKDIR /out
ENTRYPOINT ["brainseg"]
CMD ["--help"]
