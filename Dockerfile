# Fovea in two stages: build on Debian 12, run on its slim image with run-time libraries only.
#
#   docker build -t fovea .
#   docker run --rm -p 8001:8001 -p 8002:8002 -v fovea-data:/var/lib/fovea fovea

FROM debian:bookworm-slim AS build
WORKDIR /src
# The packages are a layer of their own: they change less often than the sources.
COPY scripts/install-deps scripts/install-deps
RUN scripts/install-deps && rm -rf /var/lib/apt/lists/*
COPY . .
RUN scripts/build fovea-server fovea-trainer fovea \
 && mkdir -p /out \
 && cp build/release/server/fovea-server build/release/trainer/fovea-trainer \
       build/release/client/fovea /out/ \
 && strip /out/*

FROM debian:bookworm-slim
COPY scripts/install-deps /tmp/install-deps
RUN /tmp/install-deps --runtime && rm -rf /var/lib/apt/lists/* /tmp/install-deps \
 && useradd --system --uid 10001 --home-dir /var/lib/fovea --create-home fovea
COPY --from=build /out/ /usr/local/bin/
USER 10001
VOLUME /var/lib/fovea
# gRPC; metrics. In a container all interfaces are its own, so both listen on all of them.
EXPOSE 8001 8002
STOPSIGNAL SIGTERM
ENTRYPOINT ["fovea-server", "--data-dir", "/var/lib/fovea", \
            "--listen", "0.0.0.0:8001", "--metrics", "0.0.0.0:8002"]
