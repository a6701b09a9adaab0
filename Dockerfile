# syntax=docker/dockerfile:1

# One image with every server of this repository, chosen by command, and the harness:
#
#     docker build -t server-architectures:local .
#     docker run --rm -p 127.0.0.1:8080:8080 server-architectures:local work-stealing
#     docker run --rm -p 127.0.0.1:8080:8080 --security-opt seccomp=containers/seccomp.json --ulimit memlock=8388608 \
#         server-architectures:local thread-per-core
#
# A test (harness/tests/it/containers.rs) holds its packages and its compiler to the workspace's.

# The compiler of rust-toolchain.toml, on the same release of Debian as the final stage: one C library for both.
FROM rust:1.95.0-slim-bookworm AS builder

# glommio builds its own liburing: it calls git, and a configure script that calls the C compiler, which is there. Versions
# are the release's own: pinned ones vanish from its mirrors with the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libc6-dev \
    && rm -rf /var/lib/apt/lists/*

# Overrides rust-toolchain.toml, whose clippy and rustfmt are for developers and would be fetched.
ENV RUSTUP_TOOLCHAIN=1.95.0

WORKDIR /src
COPY . .

# Each by a call of its own, as the harness builds what it measures: built together, the features that one server asks of a
# dependency would be built into the others. Cache mounts vanish after the step, so the programs are copied out of them.
ARG PACKAGES="\
    single-thread \
    fork-per-core \
    thread-per-core \
    work-stealing \
    no-steal \
    rayon-offload \
    process-offload \
    thread-pool \
    may-coroutines \
    actix-workers \
    axum-tokio \
    ceiling \
    harness"
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    mkdir -p /programs \
    && for package in $PACKAGES; do \
        cargo build --release --locked --package "$package"; \
        cp "target/release/$package" /programs/; \
    done

# Debian's slim image and not one without a shell: the health check is ten lines of bash, and whoever compares servers in a
# container wants to look around in it. With the C library that the programs were linked against.
FROM debian:bookworm-slim

# By number, so that an orchestrator can see that it is not root without reading /etc/passwd.
RUN groupadd --gid 10001 server \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin server \
    && install --directory --owner 10001 --group 10001 /results

COPY --from=builder /programs/ /usr/local/bin/
COPY containers/healthy containers/bench.sh /usr/local/bin/

USER 10001:10001
WORKDIR /results

# Every argument of a server is also such a variable. In a container only an address of all interfaces is reached from
# outside; the health check asks at its port, so change the port here rather than by --listen.
ENV SERVER_LISTEN=0.0.0.0:8080
EXPOSE 8080

# The first one drains. Servers handle it as process 1 as well, and those that start processes wait for their own: no init is needed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=5s --retries=3 CMD ["healthy"]

# No entry point: the server's name is the command.
CMD ["work-stealing"]
