# Builds the program, and puts it alone into a small image. The database runs elsewhere: see docker-compose.yml.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# The certificates of the operating system are those that TLS to the database trusts.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /data registry
COPY --from=build /source/target/release/widget-registry /usr/local/bin/widget-registry
USER registry
VOLUME /data
ENV WIDGET_REGISTRY_DATA_DIR=/data \
    WIDGET_REGISTRY_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["widget-registry", "healthcheck"]
ENTRYPOINT ["widget-registry"]
CMD ["serve"]
