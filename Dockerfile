# The export service, with all it needs: nothing is fetched when it runs.
#
#   docker build -t export-service .
#   docker run -p 8080:8080 -v export-data:/app/data export-service
FROM denoland/deno:2.9.6

LABEL databox.type="export-service"

# The runtime neither looks for newer versions of itself nor asks anybody for a permission.
ENV DENO_NO_UPDATE_CHECK=1 \
    DENO_NO_PROMPT=1

WORKDIR /app

# Made here because a new volume takes its owner and mode from what it covers.
RUN install --directory --owner=deno --group=deno --mode=0700 data

# Before the sources, so that a change of those fetches nothing anew.
COPY deno.json deno.lock ./
RUN deno install --frozen

# Transpiled here, not at each start. Code and cache stay root's: the service reads them and can
# change neither, which also lets it run with a read-only root file system or as another user.
COPY main.ts ./
COPY src src
RUN deno cache --frozen main.ts src/commands/*.ts \
 && chown -R root:root "$DENO_DIR"

# uid 1993 of the base image.
USER deno

VOLUME /app/data
EXPOSE 8080

# Longer than the check's own limit, so that it is the check that gives up. The port is that of
# DATABOX_LOCAL_PORT; a container given another one by `-p` is to be checked from outside.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["deno", "run", "--allow-net=127.0.0.1", "--allow-env=DATABOX_LOCAL_PORT", "src/commands/healthcheck.ts"]

# Running attempts get 8 s to end, the process 10 s: as long as engines wait by default.
STOPSIGNAL SIGTERM

# `deno` is spelled out: the base image's entry point puts it before some sub-commands only.
CMD ["deno", "task", "start"]
