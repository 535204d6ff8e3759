# The export service, with all it needs: nothing is fetched when it runs.
#
#   docker build -t export-service .
#   docker run -p 127.0.0.1:8080:8080 -v export-data:/app/data export-service
FROM denoland/deno:2.9.6

LABEL databox.type="export-service"

# The runtime neither checks for updates nor prompts for permissions.
ENV DENO_NO_UPDATE_CHECK=1 \
    DENO_NO_PROMPT=1

WORKDIR /app

# Made here because a new volume takes its owner and mode from the folder that it covers.
RUN install --directory --owner=deno --group=deno --mode=0700 data

# Before the sources, so that changing them downloads nothing again.
COPY deno.json deno.lock ./
RUN deno install --frozen

# Transpiled here, not at each start. Root owns code and cache, so the service can read but not
# change them; it can also run with a read-only root file system, or as another user.
COPY main.ts ./
COPY src src
RUN deno cache --frozen main.ts src/commands/*.ts \
 && chown -R root:root "$DENO_DIR"

# uid 1993 of the base image.
USER deno

VOLUME /app/data
EXPOSE 8080

# Longer than the check's own limit, so that the check gives up first. It uses DATABOX_LOCAL_PORT;
# a container given another port by `-p` must be checked from outside.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["deno", "run", "--allow-net=127.0.0.1", "--allow-env=DATABOX_LOCAL_PORT", "src/commands/healthcheck.ts"]

# Running attempts get 8 s to finish, the process 10 s, as long as engines wait by default.
STOPSIGNAL SIGTERM

# `deno` is spelled out: the base image's entry point adds it only to some sub-commands.
CMD ["deno", "task", "start"]
