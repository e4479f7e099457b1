# Two stages: build, and an image with the binary, the example jobs and the models.
FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV CARGO_HOME=/cargo RUSTUP_HOME=/rustup PATH=/cargo/bin:$PATH
RUN curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs \
    | sh -s -- -y --profile minimal --default-toolchain none
WORKDIR /src
COPY . .
# A level that the first build of a clone does without: some minutes more, and nights are shorter.
ENV CARGO_PROFILE_RELEASE_OPT_LEVEL=3
RUN cargo build --release --locked && cp target/release/cxmart /cxmart

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home cxmart
COPY --from=build /cxmart /usr/local/bin/cxmart
# The binary carries these too; here they can be read, copied and mounted over.
COPY jobs /project/jobs
COPY sql /project/sql
USER 10001
WORKDIR /project
# Finished and spilled files on their way to a bucket; mount a disk here for large runs.
ENV CXMART__SCRATCH=/tmp
ENTRYPOINT ["cxmart"]
CMD ["--help"]
